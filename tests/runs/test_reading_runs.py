from collections.abc import Callable

import pytest

from tests.runs.conftest import outcomes
from validation import services
from validation.ledger import Ledger
from validation.management.commands import validate
from validation.models import Result, Run, RunState
from validation.report import Report
from validation.validators import Verdict

type Start = Callable[..., Run]


def finish(ledger: Ledger, *, invalid: int = 0) -> None:
    """Settles everything there is; the first `invalid` items of each chunk are invalid."""
    while claim := ledger.claim():
        good, bad = outcomes(claim), outcomes(claim, Verdict.INVALID, "hash_mismatch")
        assert ledger.settle(claim, bad[:invalid] + good[invalid:])


def test_progress_of_a_run_that_waits_has_no_rate(start: Start) -> None:
    run = start(10)
    progress = services.progress([run.pk])[run.pk]
    assert (progress.state, progress.total, progress.done) == ("running", 10, 0)
    assert progress.rate is None
    assert progress.eta_s is None


def test_progress_adds_up_while_a_run_goes_on(start: Start, ledger: Ledger) -> None:
    run = start(100)
    claim = ledger.claim()
    assert claim is not None
    ledger.settle(claim, outcomes(claim))
    progress = services.progress([run.pk])[run.pk]
    assert progress.done == progress.valid == len(claim.subjects) < 100
    assert progress.rate is not None
    assert progress.rate > 0
    assert progress.eta_s is not None
    assert progress.eta_s > 0


def test_reasons_count_what_is_not_valid(start: Start, ledger: Ledger) -> None:
    run = start(10)
    finish(ledger, invalid=3)
    assert services.reasons(run) == [("invalid", "hash_mismatch", 3)]


def test_items_are_paged_by_ordinal_with_and_without_results(start: Start, ledger: Ledger) -> None:
    run = start(100)
    claim = ledger.claim()
    assert claim is not None
    ledger.settle(claim, outcomes(claim))
    done = len(claim.subjects)
    page = services.items_page(run, limit=done + 5)
    assert [row.ordinal for row in page] == list(range(done + 5))
    assert [row.result is not None for row in page] == [True] * done + [False] * 5
    waiting = services.items_page(run, verdict="waiting", limit=3)
    assert [row.ordinal for row in waiting] == [done, done + 1, done + 2]
    after = services.items_page(run, verdict="valid", after=1, limit=2)
    assert [row.ordinal for row in after] == [2, 3]


@pytest.mark.parametrize(
    ("verdict", "reason", "found"),
    [("invalid", "", 3), ("not_valid", "", 3), ("", "hash_mismatch", 3), ("error", "", 0)],
)
def test_items_are_filtered(
    start: Start, ledger: Ledger, verdict: str, reason: str, found: int
) -> None:
    run = start(10)
    finish(ledger, invalid=3)
    rows = services.items_page(run, verdict=verdict, reason=reason)
    assert len(rows) == found


def test_a_retry_is_a_new_run_of_what_failed_and_keeps_the_evidence(
    start: Start, ledger: Ledger
) -> None:
    run = start(10)
    finish(ledger, invalid=3)
    run.refresh_from_db()
    retry = services.retry_run(run, origin="page")
    assert (retry.total, retry.retry_of, retry.state) == (3, run, RunState.RUNNING)
    finish(ledger)
    assert list(
        Result.objects.filter(run_id=retry.pk).order_by("ordinal").values_list("subject", flat=True)
    ) == ["block:0", "block:1", "block:2"]
    assert services.progress([run.pk])[run.pk].invalid == 3


def test_a_retry_needs_something_that_failed(start: Start, ledger: Ledger) -> None:
    run = start(10)
    with pytest.raises(services.RunRefused, match="still running"):
        services.retry_run(run, origin="page")
    finish(ledger)
    run.refresh_from_db()
    with pytest.raises(services.RunRefused, match="nothing to retry"):
        services.retry_run(run, origin="page")
    assert Run.objects.count() == 1


def test_a_finished_run_cannot_be_cancelled(start: Start, ledger: Ledger) -> None:
    run = start(10)
    finish(ledger)
    with pytest.raises(services.RunRefused, match="done: nothing to cancel"):
        services.cancel_run(run)


def test_a_cancelled_run_is_not_all_valid_to_a_script(
    start: Start, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    run = start(100)
    claim = ledger.claim()
    assert claim is not None
    ledger.settle(claim, outcomes(claim))
    services.cancel_run(run)
    report = Report(as_json=True)
    assert validate._through_fleet(report, run) is False
    assert "was cancelled" in capsys.readouterr().err
