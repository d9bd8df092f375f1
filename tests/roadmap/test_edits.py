"""What operators write of an optimisation is theirs: with role and reason, on record, undone."""

from datetime import date
from typing import Any

import pytest

from console.access.models import AuditEntry
from console.controls import reverting
from console.controls.errors import Conflict, Refused, RoleTooLow
from console.pages import history
from console.roadmap import edits
from console.roadmap.models import Edit
from tests.controls.conftest import actor
from tests.flags.made import newest

pytestmark = pytest.mark.django_db
WHY = "Agreed in the weekly meeting"


def wrote(role: str = "operator", key: str = "1.4", **wanted: Any) -> Edit:
    return edits.edit(actor(role), key, wanted, reason=WHY)


def test_each_field_is_kept_and_told_in_the_trail() -> None:
    wrote(owner="  Ada  L. ", note="Look at Redis first", priority="low", due="2030-01-31")
    row = Edit.objects.get(pk="1.4")
    assert (row.owner, row.note, row.priority) == ("Ada L.", "Look at Redis first", "low")
    assert row.due == date(2030, 1, 31)
    entry = newest()
    assert (entry.kind, entry.action, entry.target) == ("roadmap", "edit", "1.4")
    assert entry.revision == row.revision
    assert (entry.reason, entry.before["owner"], entry.after["due"]) == (WHY, "", "2030-01-31")


def test_what_is_not_named_stays_and_what_is_empty_goes() -> None:
    wrote(owner="Ada", note="First", due="2030-01-31")
    wrote(note="", due=None)
    row = Edit.objects.get(pk="1.4")
    assert (row.owner, row.note, row.due) == ("Ada", "", None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("priority", "urgent"), ("status", "finished"), ("due", "tomorrow"), ("due", 5),
        ("owner", "a" * 161), ("note", "a" * 4001), ("note", "a\0b"), ("titel", "x"),
        ("priority", ["low"]),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_named(field: str, value: Any) -> None:
    with pytest.raises(Refused) as caught:
        wrote("admin", **{field: value})
    assert field in str(caught.value)
    assert not Edit.objects.exists()
    assert not AuditEntry.objects.filter(kind="roadmap").exists()


def test_a_viewer_writes_nothing_and_only_an_admin_sets_a_status() -> None:
    with pytest.raises(RoleTooLow):
        wrote("viewer", owner="Ada")
    with pytest.raises(RoleTooLow, match="status by hand"):
        wrote(status="done")
    row = wrote("admin", status="done")
    assert (row.status, row.status_reason) == ("done", WHY)
    assert wrote("admin", status="").status_reason == ""


def test_what_is_so_already_and_what_is_not_there_is_refused() -> None:
    wrote(owner="Ada")
    with pytest.raises(Refused, match="so already"):
        wrote(owner="Ada")
    with pytest.raises(edits.UnknownOptimisation, match=r"no optimisation '9\.9'"):
        wrote(key="9.9", owner="Ada")


def test_who_saw_an_older_state_is_told_what_is_so_now() -> None:
    seen = wrote(owner="Ada").revision
    wrote(owner="Grace")
    with pytest.raises(Conflict, match=WHY):
        edits.edit(actor(), "1.4", {"owner": "Alan"}, reason=WHY, based_on=seen)
    assert Edit.objects.get(pk="1.4").owner == "Grace"


def test_an_edit_is_taken_back_unless_another_followed() -> None:
    wrote(owner="Ada", due="2030-01-31")
    wrote(owner="Grace", due="")
    second = newest()
    assert reverting.is_reversible(second)
    reverting.revert(actor(), second, reason="It was Ada's after all")
    row = Edit.objects.get(pk="1.4")
    assert (row.owner, row.due) == ("Ada", date(2030, 1, 31))
    assert newest().reverts == second
    with pytest.raises(Conflict, match="written of again since"):
        reverting.revert(actor(), second, reason="Once more, please")


def test_the_trail_says_it_in_words() -> None:
    wrote(owner="Ada", due="2030-01-31")
    entry = history.entry_of(newest(), newest=True)
    assert (entry.before, entry.after) == ("nothing", "owner Ada; due 2030-01-31")
    assert entry.reversible
    assert entry.href == "/audit/?kind=roadmap&target=1.4"


def test_a_status_by_hand_is_taken_back_by_an_admin_alone() -> None:
    wrote("admin", status="done")
    with pytest.raises(RoleTooLow):
        reverting.revert(actor(), newest(), reason="It is not done at all")
    reverting.revert(actor("admin"), newest(), reason="It is not done at all")
    assert Edit.objects.get(pk="1.4").status == ""
