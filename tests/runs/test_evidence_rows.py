"""What is kept beside results: bundles of accusations, timelines, agreement; bounded a run."""

import os
from collections.abc import Callable
from datetime import timedelta

import msgspec
import psycopg
import pytest
from django.utils import timezone

from tests.runs.conftest import outcomes
from validation import evidence_rows, retention, tasks
from validation.ledger import Ledger
from validation.models import Catch, Evidence, Result, Run
from validation.rpc import Span
from validation.validators import Agreement, Check, Difference, Outcome, Status, Verdict

type Start = Callable[..., Run]

SPANS = (Span(name="queue", at_ms=0.0, ms=1.5, node="one:8545", note='a "nul" \x00'),)
BUNDLE = bytes(range(256))


def settle(ledger: Ledger, **changes: object) -> list[Outcome]:
    claim = ledger.claim()
    assert claim is not None
    found = [msgspec.structs.replace(outcome, **changes) for outcome in outcomes(claim)]
    assert ledger.settle(claim, found)
    return found


def test_evidence_is_written_with_the_results(start: Start, ledger: Ledger) -> None:
    run = start(2)
    settle(ledger, spans=SPANS, bundle=BUNDLE, verdict=Verdict.INVALID)
    rows = Evidence.objects.filter(run_id=run.pk).order_by("ordinal")
    assert [row.ordinal for row in rows] == [0, 1]
    told = {"name": "queue", "at_ms": 0.0, "ms": 1.5, "node": "one:8545", "note": 'a "nul" \ufffd'}
    assert rows[0].spans == [told]
    assert bytes(rows[0].bundle or b"") == BUNDLE


def test_of_what_passed_nothing_is_kept(start: Start, ledger: Ledger) -> None:
    start(2)
    settle(ledger)
    assert not Evidence.objects.exists()


def test_either_is_kept_without_the_other(start: Start, ledger: Ledger) -> None:
    start(1)
    settle(ledger, spans=SPANS)
    start(1)
    settle(ledger, bundle=BUNDLE)
    rows = [(row.spans is None, row.bundle is None) for row in Evidence.objects.order_by("run_id")]
    assert rows == [(False, True), (True, False)]


def test_a_run_of_lies_keeps_its_first_bundles_and_timelines(
    start: Start, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_rows, "BUNDLES_A_RUN", 30)
    monkeypatch.setattr(evidence_rows, "SPANS_A_RUN", 40)
    start(60)
    while (claim := ledger.claim()) is not None:
        found = [
            msgspec.structs.replace(each, spans=SPANS, bundle=BUNDLE) for each in outcomes(claim)
        ]
        assert ledger.settle(claim, found)
    rows = Evidence.objects.order_by("ordinal")
    assert [row.ordinal for row in rows] == list(range(40))
    assert sum(row.bundle is not None for row in rows) == 30
    assert Result.objects.count() == 60


def test_no_result_stands_without_its_evidence(
    start: Start, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(1)
    claim = ledger.claim()
    assert claim is not None
    found = [msgspec.structs.replace(each, bundle=BUNDLE) for each in outcomes(claim)]
    with monkeypatch.context() as patched:
        patched.setattr(evidence_rows, "_COUNT", "SELECT 1/0")
        with pytest.raises(psycopg.DataError):
            ledger.settle(claim, found)
    assert (Result.objects.count(), Evidence.objects.count()) == (0, 0)
    assert ledger.settle(claim, found)
    assert (Result.objects.count(), Evidence.objects.count()) == (1, 1)


def test_agreement_stands_with_the_result(start: Start, ledger: Ledger) -> None:
    run = start(1, level=2)
    Run.objects.filter(pk=run.pk).update(agreement=2)
    claim = ledger.claim()
    assert claim is not None
    assert (claim.agreement, claim.total) == (2, 1)
    agreement = Agreement(
        asked=2,
        agreed=("one:8545",),
        differs=(Difference(node="two:8545", said="value: 0x1\t\\. not 0x2"),),
        silent=(Difference(node="three:8545", said="node_timeout"),),
    )
    assert ledger.settle(
        claim, [msgspec.structs.replace(each, agreement=agreement) for each in outcomes(claim)]
    )
    assert msgspec.convert(Result.objects.get().agreement, Agreement) == agreement


def test_what_was_compared_is_told_of_checks_that_passed_too(start: Start, ledger: Ledger) -> None:
    start(1)
    passed = Check("hash", Status.PASS, "", "0x1", "0x1")
    settle(ledger, checks=(passed,))
    [told] = Result.objects.get().checks
    assert (told["computed"], told["claimed"]) == ("0x1", "0x1")


def test_evidence_goes_with_its_run(start: Start, ledger: Ledger) -> None:
    run = start(1)
    settle(ledger, spans=SPANS)
    retention.forget_orphans()
    assert Evidence.objects.count() == 1
    run.delete()
    retention.forget_orphans()
    assert not Evidence.objects.exists()


def kept(start: Start, ledger: Ledger, *, days_ago: float, octets: int) -> int:
    """The id of a run with one bundle."""
    run = start(1)
    settle(ledger, bundle=os.urandom(octets))
    kept_at = timezone.now() - timedelta(days=days_ago)
    Evidence.objects.filter(run_id=run.pk).update(kept_at=kept_at)
    return run.pk


def test_evidence_is_deleted_by_its_age(start: Start, ledger: Ledger) -> None:
    kept(start, ledger, days_ago=30.5, octets=100)
    young = kept(start, ledger, days_ago=29.5, octets=100)
    before = timezone.now() - timedelta(days=30)
    assert retention.forget_evidence(before, most=10) == 1
    assert list(Evidence.objects.values_list("run_id", flat=True)) == [young]
    assert Result.objects.count() == 2


def test_of_too_much_evidence_the_oldest_goes_first(
    start: Start, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest, oldest, old = (kept(start, ledger, days_ago=days, octets=20_000) for days in (1, 3, 2))
    monkeypatch.setattr(retention, "EVIDENCE_BYTES", 65_000)
    assert retention.forget_most_evidence() == 0
    monkeypatch.setattr(retention, "EVIDENCE_BYTES", 45_000)
    assert retention.forget_most_evidence() == 1
    assert set(Evidence.objects.values_list("run_id", flat=True)) == {newest, old}
    assert not Evidence.objects.filter(run_id=oldest).exists()


def test_the_beat_keeps_catches_within_their_bounds(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "CATCHES", 0)
    Catch.objects.create(label="gone:1", subject="head", check_name="hash", detail="")
    tasks.forget_old_drafts()
    assert not Catch.objects.exists()
