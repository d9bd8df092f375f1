"""Runs and evidence go when their time is over, in batches, and what went is on record."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection
from pytest_django import Settings

from console import retention
from console.access.models import AuditEntry
from console.retention import dropping
from console.retention.policy import Rule
from tests.retention.conftest import BEAT, NOW
from validation import retention as bounds
from validation.models import (
    Anchor,
    Catch,
    Chunk,
    DroppedRun,
    Evidence,
    Item,
    Result,
    Retraction,
    Run,
    RunState,
)

End = Callable[..., Run]
OF_A_RUN = (Chunk, Item, Result, Evidence, Anchor, Retraction, Catch)


def dropped() -> dict[str, int]:
    return {each.target: each.dropped for each in retention.turn(BEAT, now=NOW)}


def test_days_are_whole_days_of_utc() -> None:
    rule = Rule(target="runs", setting="RETAIN_RUNS_DAYS", days=2)
    assert rule.before(datetime(2030, 6, 15, 23, 59, tzinfo=UTC)) == datetime(
        2030, 6, 13, tzinfo=UTC
    )
    assert Rule(target="runs", setting="", days=0).before(NOW) is None


def test_a_run_goes_with_all_its_rows_and_is_on_record(ended: End, kept: Settings) -> None:
    kept.RETAIN_RUNS_DAYS = 30
    old, young = ended(31), ended(29)
    assert dropped() == {"runs": 1, "evidence": 0, "audit": 0, "alerts": 0}
    assert list(Run.objects.values_list("pk", flat=True)) == [young.pk]
    for table in OF_A_RUN:
        assert set(table.objects.values_list("run_id", flat=True)) == {young.pk}, table
    assert not DroppedRun.objects.exists()
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.origin, entry.action) == ("retention", "beat", "drop")
    assert (entry.kind, entry.target) == ("retention", "runs")
    assert entry.after == {"runs": 1, "items": 3, "first": old.pk, "last": old.pk,
                           "until": "2030-05-16T00:00:00+00:00"}  # fmt: skip
    assert entry.reason == (
        f"1 runs with 3 items, V-{old.pk} to V-{old.pk}, by RETAIN_RUNS_DAYS=30,"
        " from before 2030-05-16 00:00 UTC"
    )
    assert dropped()["runs"] == 0
    assert AuditEntry.objects.count() == 1


def test_for_ever_is_for_ever(ended: End) -> None:
    ended(10_000)
    assert dropped() == {"runs": 0, "evidence": 0, "audit": 0, "alerts": 0}
    assert not AuditEntry.objects.exists()


def test_what_has_not_ended_stays(ended: End, kept: Settings) -> None:
    kept.RETAIN_RUNS_DAYS = 1
    run = ended(40)
    Run.objects.filter(pk=run.pk).update(state=RunState.RUNNING)
    assert dropped()["runs"] == 0


def test_a_retry_outlives_what_it_was_of(ended: End, kept: Settings) -> None:
    kept.RETAIN_RUNS_DAYS = 30
    old, young = ended(31), ended(1)
    Run.objects.filter(pk=young.pk).update(retry_of=old.pk)
    assert dropped()["runs"] == 1
    assert Run.objects.get().retry_of_id is None


def test_batches_are_bounded_and_each_is_on_record(
    ended: End, kept: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.RETAIN_RUNS_DAYS = 30
    monkeypatch.setattr(dropping, "RUNS", 2)
    monkeypatch.setattr(dropping, "ROWS", 2)
    runs = [ended(40 + n) for n in range(5)]
    assert dropped()["runs"] == 5
    assert not Result.objects.exists()
    after = [entry.after for entry in AuditEntry.objects.order_by("id")]
    assert [said["runs"] for said in after] == [2, 2, 1]
    # The oldest first.
    assert (after[0]["first"], after[0]["last"]) == (runs[3].pk, runs[4].pk)


def test_a_turn_ends_with_its_time_and_the_next_goes_on(
    ended: End, kept: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.RETAIN_RUNS_DAYS = 30
    monkeypatch.setattr(dropping, "RUNS", 1)
    for _ in range(3):
        ended(40)
    clock: Iterator[float] = iter(range(100))
    [runs, *_] = retention.turn(BEAT, now=NOW, clock=lambda: float(next(clock)), budget_s=2.0)
    assert runs.dropped == 2
    # Gone for who looks, while their rows wait for a turn.
    assert (Run.objects.count(), DroppedRun.objects.count(), Item.objects.count()) == (1, 2, 9)
    assert dropped()["runs"] == 1
    assert (DroppedRun.objects.count(), Item.objects.count()) == (0, 0)


def test_without_its_record_nothing_is_dropped(
    ended: End, kept: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.RETAIN_RUNS_DAYS = 30
    ended(31)

    def full(*_: object, **__: object) -> None:
        raise DatabaseError("no room")

    monkeypatch.setattr(dropping, "note", full)
    with pytest.raises(DatabaseError, match="no room"):
        dropped()
    assert (Run.objects.count(), DroppedRun.objects.count(), Item.objects.count()) == (1, 0, 3)


def test_evidence_goes_by_its_age_and_by_its_room(
    ended: End, kept: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.RETAIN_EVIDENCE_DAYS = 30
    ended(31)
    young = ended(29)
    assert dropped()["evidence"] == 3
    assert set(Evidence.objects.values_list("run_id", flat=True)) == {young.pk}
    assert Result.objects.count() == 6
    monkeypatch.setattr(bounds, "EVIDENCE_BYTES", 0)
    assert dropping.drop_too_much(BEAT) == 3
    age, room = AuditEntry.objects.order_by("id")
    assert age.reason.startswith("Evidence of 3 items, by RETAIN_EVIDENCE_DAYS=30, from before")
    assert room.reason.startswith("The oldest evidence, of 3 items: there is room for 0 MiB")


def test_what_is_due_is_counted_and_measured(ended: End, kept: Settings) -> None:
    kept.RETAIN_RUNS_DAYS = 30
    ended(31)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE validation_run")
    runs, evidence, *_ = retention.standing(NOW)
    assert (runs.due, runs.size.rows, runs.size.oldest) == (1, 1, NOW - timedelta(days=31))
    assert (evidence.due, evidence.before) == (0, None)
    assert runs.size.octets > 8_192
