"""What operators do to nodes: by role, with a reason, audited, taken back, and never with a key."""

import json
from collections.abc import Callable
from datetime import timedelta
from unittest.mock import Mock

import pytest
from django.core import serializers
from django.test import override_settings
from django.utils import timezone
from pytest_django.fixtures import DjangoCaptureOnCommitCallbacks

from console import controls
from console.access.audit import Actor
from console.access.models import AuditEntry
from console.controls import (
    Conflict,
    ControlError,
    NotReversible,
    Refused,
    RoleTooLow,
    UnknownNode,
    node_table,
    turns,
)
from monitoring import events
from tests.controls.conftest import WHY, actor
from validation import tasks
from validation.models import Control, Node, RemovedNode
from validation.rpc import NodeUrl

pytestmark = pytest.mark.django_db
# tests/services.py names it in NODE_URLS.
OWN = "127.0.0.1:9"
OTHER = "127.0.0.1:10"
KEY = "hunter2verysecret"
SECRET = f"http://ada:{KEY}@127.0.0.1:11/v3/{KEY}?k={KEY}"
ADMIN = actor("admin")


def newest() -> AuditEntry:
    entry = AuditEntry.objects.first()
    assert entry is not None
    return entry


def standing() -> list[tuple[str, bool]]:
    return [(place.label, place.in_service) for place in controls.places()]


@pytest.fixture
def other() -> str:
    controls.add_node(ADMIN, f"http://{OTHER}/", reason=WHY)
    return OTHER


def test_nodes_of_the_environment_are_there_before_anybody_touched_one() -> None:
    assert standing() == [(OWN, True)]
    assert controls.places()[0].is_from_environment
    assert controls.url_of(OWN) == NodeUrl.parse(f"http://{OWN}/")
    assert not Node.objects.exists()


def test_adding_is_one_revision_one_audit_entry_and_news(
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    told: list[str] = []
    monkeypatch.setattr(events, "publish", lambda *topics: told.extend(topics))
    with django_capture_on_commit_callbacks(execute=True):
        order = controls.add_node(ADMIN, f"http://{OTHER}/", reason=WHY)
    assert standing() == [(OWN, True), (OTHER, True)]
    assert controls.url_of(OTHER) == NodeUrl.parse(f"http://{OTHER}/")
    entry = newest()
    assert (entry.kind, entry.action, entry.target) == ("nodes", "add", OTHER)
    assert (entry.before, entry.after) == ({}, {"state": "in_service"})
    assert (entry.revision, entry.reason) == (order.revision, WHY)
    assert Control.objects.get(kind="nodes", name="").revision == order.revision
    assert {"controls", "nodes", f"node:{OTHER}"} <= set(told)


def test_a_key_in_a_url_goes_into_its_column_and_nowhere_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    controls.add_node(ADMIN, SECRET, reason=WHY)
    label = NodeUrl.parse(SECRET).label
    assert controls.url_of(label).secret_url == SECRET
    controls.cordon_node(ADMIN, label, reason=WHY)
    controls.remove_node(ADMIN, label, reason=WHY)
    for model in (AuditEntry, Control):
        assert KEY not in serializers.serialize("json", model.objects.all())
    assert KEY not in repr(controls.places())
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "must start with http"),
        (KEY, "must start with http"),
        (f"ftp://ada:{KEY}@node.example/{KEY}", "ftp://node.example"),
        (f"http://ada:{KEY}@node.example:0/{KEY}", "port 0"),
        (f"http://ada:{KEY}@node.example:99999/{KEY}", "port"),
        (f"http://ada:{KEY}@node.example/#{KEY}", "#fragment"),
        (f"http://{'n' * 63}.{'n' * 63}.{'n' * 40}/{KEY}", "characters"),
    ],
)
def test_what_is_no_url_of_a_node_is_refused_without_its_key(url: str, says: str) -> None:
    with pytest.raises(Refused, match=r"^url: ") as refused:
        controls.add_node(ADMIN, url, reason=WHY)
    assert says in str(refused.value)
    assert KEY not in str(refused.value)
    assert not Node.objects.exists()


@pytest.mark.parametrize("url", ["http://10.0.0.7:8545/", "http://[fd00::1]:8545/"])
def test_a_private_address_is_refused_with_the_variable_that_would_allow_it(url: str) -> None:
    with pytest.raises(Refused, match="NODE_PRIVATE_NETWORKS") as refused:
        controls.add_node(ADMIN, url, reason=WHY)
    assert NodeUrl.parse(url).host in str(refused.value)


def test_a_name_is_judged_by_every_address_that_it_leads_to() -> None:
    controls.add_node(ADMIN, "http://localhost:12/", reason=WHY)
    with (
        override_settings(DEVELOPMENT=False),
        pytest.raises(Refused, match=r"localhost leads to (127\.0\.0\.1|::1)"),
    ):
        controls.add_node(ADMIN, "http://localhost:13/", reason=WHY)
    with pytest.raises(Refused, match="does not resolve"):
        controls.add_node(ADMIN, "http://nobody.invalid/", reason=WHY)


def test_one_that_is_there_already_is_refused(other: str) -> None:
    for url in (f"http://{OWN}/", f"http://{other}/"):
        with pytest.raises(Refused, match="there already"):
            controls.add_node(ADMIN, url, reason=WHY)


def test_who_may_do_what(other: str) -> None:
    acts: dict[str, Callable[[Actor], object]] = {
        "add": lambda who: controls.add_node(who, "http://127.0.0.1:14/", reason=WHY),
        "remove": lambda who: controls.remove_node(who, other, reason=WHY),
        "order": lambda who: controls.order_nodes(who, [other, OWN], reason=WHY),
        "move": lambda who: controls.move_node(who, other, 1, reason=WHY),
        "cordon": lambda who: controls.cordon_node(who, other, reason=WHY),
        "uncordon": lambda who: controls.uncordon_node(who, other, reason=WHY),
        "test": lambda who: controls.test_node(who, other),
        "test a url": lambda who: controls.test_url(who, "http://127.0.0.1:14/"),
    }
    for name, act in acts.items():
        with pytest.raises(RoleTooLow):
            act(actor("viewer"))
        if name not in {"cordon", "uncordon", "test"}:
            with pytest.raises(RoleTooLow, match="admin"):
                act(actor("operator"))
    controls.cordon_node(actor("operator"), other, reason=WHY)
    controls.uncordon_node(actor("operator"), other, reason=WHY)


def test_each_act_needs_a_reason_and_the_revision_that_was_seen(other: str) -> None:
    seen = controls.desired("nodes", "").revision
    with pytest.raises(Refused, match="reason"):
        controls.cordon_node(ADMIN, other, reason="short")
    controls.cordon_node(ADMIN, other, reason=WHY, based_on=seen)
    with pytest.raises(Conflict, match="ada changed this"):
        controls.uncordon_node(ADMIN, other, reason=WHY, based_on=seen)
    assert standing() == [(OWN, True), (other, False)]


def test_a_cordon_says_who_and_why_and_is_lifted(other: str) -> None:
    controls.cordon_node(actor(), other, reason=WHY)
    place = controls.place_of(other)
    assert (place.cordoned_by, place.cordon_reason, place.in_service) == ("ada", WHY, False)
    with pytest.raises(Refused, match="ada cordoned it already"):
        controls.cordon_node(actor(), other, reason=WHY)
    controls.uncordon_node(actor(), other, reason=WHY)
    assert controls.in_service() == [OWN, other]
    with pytest.raises(Refused, match="in service"):
        controls.uncordon_node(actor(), other, reason=WHY)


def test_the_last_in_service_goes_only_where_its_name_is_typed(other: str) -> None:
    controls.cordon_node(actor(), OWN, reason=WHY)
    with pytest.raises(Refused, match="confirm"):
        controls.cordon_node(actor(), other, reason=WHY)
    with pytest.raises(Refused, match="confirm"):
        controls.remove_node(ADMIN, other, reason=WHY, confirm="yes")
    controls.cordon_node(actor(), other, reason=WHY, confirm=other)
    assert controls.in_service() == []


def test_only_what_was_added_can_be_removed(other: str) -> None:
    with pytest.raises(Refused, match="NODE_URLS"):
        controls.remove_node(ADMIN, OWN, reason=WHY)
    controls.remove_node(ADMIN, other, reason=WHY)
    assert standing() == [(OWN, True)]
    with pytest.raises(UnknownNode, match=OWN):
        controls.cordon_node(actor(), other, reason=WHY)


def test_the_order_is_all_of_them_each_once(other: str) -> None:
    for labels in ([other], [OWN, OWN], [OWN, other, "x"], [OWN, other]):
        with pytest.raises(Refused, match="labels"):
            controls.order_nodes(ADMIN, labels, reason=WHY)
    controls.order_nodes(ADMIN, [other, OWN], reason=WHY)
    assert [place.label for place in controls.places()] == [other, OWN]
    assert newest().after == {"order": [other, OWN]}
    controls.move_node(ADMIN, other, 2, reason=WHY)
    assert [place.label for place in controls.places()] == [OWN, other]
    for place in (0, 3):
        with pytest.raises(Refused, match="from 1 to 2"):
            controls.move_node(ADMIN, other, place, reason=WHY)


def _undo() -> None:
    controls.revert(ADMIN, newest(), reason=WHY)


def test_adding_and_removing_take_each_other_back() -> None:
    controls.add_node(ADMIN, SECRET, reason=WHY)
    label = NodeUrl.parse(SECRET).label
    _undo()
    assert standing() == [(OWN, True)]
    _undo()
    assert standing() == [(OWN, True), (label, True)]
    assert controls.url_of(label).secret_url == SECRET
    assert [e.action for e in AuditEntry.objects.all()] == ["revert", "revert", "add"]


def test_a_cordoned_node_that_was_removed_comes_back_cordoned(other: str) -> None:
    controls.cordon_node(actor(name="bea"), other, reason=WHY)
    controls.remove_node(ADMIN, other, reason="It is somebody else's node")
    _undo()
    place = controls.place_of(other)
    assert (place.in_service, place.cordoned_by, place.cordon_reason) == (False, "bea", WHY)


def test_the_url_of_a_removed_node_is_forgotten_after_a_day(other: str) -> None:
    controls.remove_node(ADMIN, other, reason=WHY)
    entry = newest()
    RemovedNode.objects.update(removed_at=timezone.now() - timedelta(days=1, seconds=1))
    with pytest.raises(NotReversible, match="more than a day"):
        controls.revert(ADMIN, entry, reason=WHY)
    controls.add_node(ADMIN, "http://127.0.0.1:14/", reason=WHY)
    assert not RemovedNode.objects.exists()


def test_time_alone_forgets_the_url_of_a_removed_node() -> None:
    now = timezone.now()
    for hours, label in ((23, "late:1"), (25, "old:1")):
        removed_at = now - timedelta(hours=hours)
        RemovedNode.objects.create(label=label, url=SECRET, removed_at=removed_at)
    tasks.forget_old_drafts()
    assert [row.label for row in RemovedNode.objects.all()] == ["late:1"]


def test_cordon_uncordon_and_order_are_taken_back(other: str) -> None:
    controls.cordon_node(actor(), other, reason=WHY)
    controls.revert(actor("operator"), newest(), reason=WHY)
    assert controls.in_service() == [OWN, other]
    _undo()
    assert controls.place_of(other).cordoned_by == "ada"
    controls.order_nodes(ADMIN, [other, OWN], reason=WHY)
    with pytest.raises(RoleTooLow, match="admin"):
        controls.revert(actor("operator"), newest(), reason=WHY)
    _undo()
    assert [place.label for place in controls.places()] == [OWN, other]


def test_what_became_of_another_node_keeps_nobody_from_taking_back(other: str) -> None:
    controls.cordon_node(actor(), other, reason=WHY)
    entry = newest()
    controls.add_node(ADMIN, "http://127.0.0.1:14/", reason=WHY)
    controls.revert(ADMIN, entry, reason=WHY)
    assert controls.place_of(other).in_service


def test_what_was_changed_again_since_is_left_alone(other: str) -> None:
    controls.cordon_node(actor(), other, reason=WHY)
    entry = newest()
    # As a worker does that caught it, after an operator let it back: without an audit entry.
    Node.objects.filter(label=other).update(cordoned_at=timezone.now(), cordoned_by="worker w:1")
    with pytest.raises(Conflict, match="changed again"):
        controls.revert(ADMIN, entry, reason=WHY)
    assert controls.place_of(other).cordoned_by == "worker w:1"


def test_an_act_that_was_undone_and_done_again_is_not_taken_back_by_its_first(other: str) -> None:
    controls.cordon_node(actor(), other, reason=WHY)
    controls.uncordon_node(actor(), other, reason=WHY)
    freed = newest()
    controls.cordon_node(actor(), other, reason="It lied, and that is no guess")
    controls.uncordon_node(actor(), other, reason=WHY)
    with pytest.raises(Conflict, match="changed again"):
        controls.revert(ADMIN, freed, reason=WHY)
    assert controls.in_service() == [OWN, other]
    added = AuditEntry.objects.filter(action="add").get()
    controls.remove_node(ADMIN, other, reason=WHY)
    controls.add_node(ADMIN, f"http://{other}/", reason=WHY)
    with pytest.raises(Conflict, match="changed again"):
        controls.revert(ADMIN, added, reason=WHY)
    assert controls.in_service() == [OWN, other]


def test_a_worker_may_write_down_the_same_nodes_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    third = NodeUrl.parse("http://127.0.0.1:12/")
    of_environment = node_table._of_environment

    def overtaken() -> list[Node]:
        Node.objects.get_or_create(label=third.label, defaults={"position": 1})
        return of_environment()

    with override_settings(NODES=(NodeUrl.parse(f"http://{OWN}/"), third)):
        # Between what is read of the table and what is written into it.
        monkeypatch.setattr(node_table, "_of_environment", overtaken)
        node_table.write_missing()
        assert standing() == [(OWN, True), (third.label, True)]


def test_taking_back_what_leaves_no_node_asks_for_its_name(other: str) -> None:
    controls.cordon_node(actor(), OWN, reason=WHY)
    controls.uncordon_node(actor(), OWN, reason=WHY)
    entry = newest()
    controls.cordon_node(actor(), other, reason=WHY)
    with pytest.raises(Refused, match="confirm"):
        controls.revert(ADMIN, entry, reason=WHY)
    controls.revert(ADMIN, entry, reason=WHY, confirm=OWN)
    assert controls.in_service() == []


def test_a_node_that_the_environment_names_no_more_is_none_but_is_not_forgotten(other: str) -> None:
    controls.cordon_node(actor(), OWN, reason=WHY)
    with override_settings(NODES=()):
        assert standing() == [(other, True)]
    assert standing() == [(OWN, False), (other, True)]


def test_breakers_of_an_added_node_can_be_touched_before_anybody_reports_them() -> None:
    controls.add_node(ADMIN, SECRET, reason=WHY)
    name = f"node:{NodeUrl.parse(SECRET).label.replace('#', '~')}:lookup"
    controls.tune_breaker(actor(), name, {"open_s": 3}, reason=WHY)
    assert json.dumps(controls.desired("breaker", name).settings) == '{"open_s": 3.0}'


def test_what_raises_changes_nothing(other: str) -> None:
    before = (AuditEntry.objects.count(), controls.desired("nodes", ""))
    acts: tuple[Callable[[], object], ...] = (
        lambda: controls.cordon_node(actor(), "nobody:1", reason=WHY),
        lambda: controls.remove_node(ADMIN, OWN, reason=WHY),
        lambda: controls.order_nodes(ADMIN, [other], reason=WHY),
    )
    for act in acts:
        with pytest.raises(ControlError):
            act()
    assert before == (AuditEntry.objects.count(), controls.desired("nodes", ""))


def test_who_waits_for_a_node_gives_the_database_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for in_atomic_block in (False, True):
        connection = Mock(in_atomic_block=in_atomic_block)
        monkeypatch.setattr(turns, "connection", connection)
        with turns.turn():
            assert connection.close.called is not in_atomic_block
