"""The oldest acts go by their owner's word alone, on record, and what is left is whole still."""

from datetime import datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from pytest_django import Settings

from console import retention
from console.access import chain, forgetting, watch
from console.access.audit import record
from console.access.chain import Anchor
from console.access.forgetting import NotDropped
from console.access.models import AuditEntry
from console.embedded.cluster import Cluster
from tests.access.test_audit_command import verify
from tests.access.test_chain import run, tamper
from tests.controls.conftest import actor
from tests.retention.conftest import BEAT


def act(number: int = 1, *, reverts: AuditEntry | None = None) -> AuditEntry:
    for n in range(number):
        entry = record(
            actor(), "tune", kind="breaker", target=f"l{n}", before={}, after={}, reason="a reason",
            reverts=reverts,
        )  # fmt: skip
    return entry


def forget(before: datetime, most: int = 1_000) -> int:
    run("SET CONSTRAINTS ALL IMMEDIATE", "SET CONSTRAINTS ALL DEFERRED")
    return forgetting.forget(BEAT, before, most=most, why="RETAIN_AUDIT_DAYS=7")


def positions() -> list[int]:
    return list(AuditEntry.objects.order_by("position").values_list("position", flat=True))


@pytest.fixture
def eight(db: None) -> datetime:
    """Five acts, then the moment that is returned, then three."""
    act(5)
    between = AuditEntry.objects.latest("position").at + timedelta(microseconds=1)
    act(3)
    return between


def test_the_oldest_go_and_the_chain_begins_behind_them(eight: datetime) -> None:
    fifth = AuditEntry.objects.get(position=5)
    assert forget(eight) == 5
    assert positions() == [6, 7, 8, 9]
    entry = AuditEntry.objects.get(position=9)
    assert (entry.actor, entry.origin, entry.source) == ("retention", "beat", "rack-4")
    assert (entry.action, entry.kind, entry.target) == ("drop", "retention", "audit")
    assert (entry.after["position"], entry.after["hash"]) == (5, fifth.hash)
    assert entry.reason.startswith("5 acts, rows 1 to 5, by RETAIN_AUDIT_DAYS=7, from before ")
    walked = chain.verify([Anchor(position=5, hash=fifth.hash), Anchor(position=2, hash="a" * 64)])
    assert (walked.broken, walked.rows, walked.begins.position) == (None, 4, 5)
    status, said = verify()
    assert (status, "behind row 5:" in said) == (0, True)
    assert forget(eight) == 0


def test_stretches_follow_each_other(eight: datetime) -> None:
    assert [forget(eight, most=2) for _ in range(4)] == [2, 2, 1, 0]
    assert chain.verify().broken is None
    assert positions()[0] == 6


def test_all_that_is_old_may_go_and_the_record_is_left(eight: datetime) -> None:
    assert watch.check().fault == ""
    assert forget(timezone.now() + timedelta(days=1)) == 8
    assert positions() == [9]
    # The head that the last check found is the row behind which the trail begins.
    assert watch.check().fault == ""


def test_what_a_kept_act_takes_back_is_kept(db: None) -> None:
    act(2)
    third = act()
    act(2)
    until = AuditEntry.objects.latest("position").at + timedelta(microseconds=1)
    act(reverts=third)
    assert forget(until) == 2
    assert positions()[0] == 3
    assert chain.verify().broken is None


@pytest.mark.parametrize("rows", [100, 4])
def test_the_console_goes_on_finding_it_whole(eight: datetime, rows: int) -> None:
    """Also where a trail is too long for one turn."""
    act(10)
    forget(eight)
    for _ in range(8):
        assert watch.check(rows=rows, newest=2).fault == ""
    tamper("UPDATE access_auditentry SET actor = 'eve' WHERE position = 8")
    assert "edited" in {watch.check(rows=rows, newest=2).fault for _ in range(8)}


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        # Rows that went beyond those on record, and before them; the record itself.
        ("DELETE FROM access_auditentry WHERE position = 6", "gap"),
        ("DELETE FROM access_auditentry WHERE position = 9", "truncated"),
        ("UPDATE access_auditentry SET after = '{}' WHERE position = 9", "gap"),
        ("UPDATE access_auditentry SET previous_hash = 'x' WHERE position = 6", "edited"),
    ],
)
def test_what_is_not_on_record_is_found(eight: datetime, statement: str, fault: str) -> None:
    forget(eight)
    run("SET CONSTRAINTS ALL IMMEDIATE")
    tamper(statement)
    found = chain.verify().broken
    assert found is not None
    assert found.fault in {fault, "gap"}


def made_up(position: int) -> None:
    found = AuditEntry.objects.get(position=position)
    record(actor(), "drop", kind="retention", target="audit", before={}, reason="nothing to see",
           after={"position": position, "hash": found.hash})  # fmt: skip


def test_a_record_of_drops_is_written_by_what_drops_and_by_nobody_else(eight: datetime) -> None:
    """A made up one would have every row before it stand outside, for ever."""
    with pytest.raises(DatabaseError, match="access_audit_forget alone"), transaction.atomic():
        made_up(3)
    assert chain.verify().broken is None
    assert forget(eight) == 5


def test_a_record_of_what_is_there_still_is_found(eight: datetime) -> None:
    """An owner who makes one up moves the beginning; the rows stand outside then."""
    with transaction.atomic():
        run("SET LOCAL switchyard.audit_forget = 'on'")
        made_up(3)
    run("SET LOCAL switchyard.audit_forget = 'off'")
    found = chain.verify().broken
    assert found is not None
    assert (found.fault, found.position) == ("added", 1)


def test_nobody_but_the_owner_drops_a_row(eight: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE trail_app")
        cursor.execute("GRANT USAGE ON SCHEMA public TO trail_app")
        cursor.execute("GRANT ALL ON access_auditentry, access_audithead TO trail_app")
        cursor.execute("SET LOCAL ROLE trail_app")
    with pytest.raises(NotDropped, match="DATABASE_OWNER_URL"):
        forget(eight)
    with pytest.raises(DatabaseError, match="only grows"), transaction.atomic():
        run("SET LOCAL switchyard.audit_forget = 'on'", "DELETE FROM access_auditentry")
    run("RESET ROLE")
    assert positions() == list(range(1, 9))


@pytest.mark.django_db(transaction=True)
def test_the_owner_is_asked_on_a_connection_of_its_own(
    services: Cluster, settings: Settings
) -> None:
    act(3)
    # Tests that commit may have left some.
    there = AuditEntry.objects.count()
    settings.DATABASE_OWNER_URL = services.postgres.url_of(connection.settings_dict["NAME"])
    settings.RETAIN_AUDIT_DAYS = 1
    # Another than the owner, from here on.
    run(
        "CREATE ROLE trail_reader",
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO trail_reader",
        "SET ROLE trail_reader",
    )
    try:
        done = retention.turn(BEAT, now=timezone.now() + timedelta(days=3))
        assert [(e.dropped, e.lacks) for e in done if e.target == "audit"] == [(there, "")]
        assert chain.verify().broken is None
    finally:
        run("RESET ROLE", "DROP OWNED BY trail_reader", "DROP ROLE trail_reader")


def test_an_owner_that_does_not_answer_is_said(eight: datetime, settings: Settings) -> None:
    settings.DATABASE_OWNER_URL = "postgresql://owner:hush@127.0.0.1:9/switchyard"
    settings.RETAIN_AUDIT_DAYS = 1
    done = retention.turn(BEAT, now=timezone.now() + timedelta(days=3))
    [said] = [each.lacks for each in done if each.target == "audit"]
    assert said.startswith("DATABASE_OWNER_URL: Postgres does not answer")
    assert "hush" not in said
    assert positions() == list(range(1, 9))


def test_an_anchor_older_than_the_trail_vouches_for_nothing(eight: datetime) -> None:
    first = AuditEntry.objects.get(position=1)
    forget(eight)
    run("DELETE FROM access_auditcheck")
    assert watch.check().fault == "forgotten"
    assert verify("--anchor", f"1:{first.hash}")[0] == 0
    assert watch.check().fault == "forgotten"
    head = chain.head()
    assert verify("--anchor", str(head))[0] == 0
    assert watch.check().fault == ""
