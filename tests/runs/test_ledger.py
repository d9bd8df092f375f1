from collections.abc import Callable, Sequence
from unittest.mock import patch

import msgspec
import psycopg
import pytest

from tests.runs.conftest import lapse_leases, outcomes
from validation import services
from validation.ledger import MAX_ATTEMPTS, Claim, IsSettled, Ledger
from validation.models import Chunk, ChunkState, Result, Run, RunState
from validation.validators import Outcome, Verdict

type Start = Callable[..., Run]
type NewLedger = Callable[[str], Ledger]


def claimed(ledger: Ledger) -> Claim:
    claim = ledger.claim()
    assert claim is not None
    return claim


def test_a_chunk_is_claimed_by_one_worker_only(start: Start, new_ledger: NewLedger) -> None:
    start(10)
    assert new_ledger("a").claim() is not None
    assert new_ledger("b").claim() is None


def test_a_claim_carries_the_subjects_and_starts_the_run(start: Start, ledger: Ledger) -> None:
    run = start(3, level=1, node_urls=["http://127.0.0.1:1/"])
    claim = claimed(ledger)
    assert claim.subjects == ("block:0", "block:1", "block:2")
    assert (claim.level, claim.node_urls) == (1, ("http://127.0.0.1:1/",))
    run.refresh_from_db()
    assert run.started_at is not None


def test_settling_writes_each_result_and_finishes_the_run(start: Start, ledger: Ledger) -> None:
    run = start(10)
    claim = claimed(ledger)
    assert ledger.settle(claim, outcomes(claim))
    run.refresh_from_db()
    assert run.state == RunState.DONE
    assert run.finished_at is not None
    result = Result.objects.get(run_id=run.pk, ordinal=7)
    assert (result.subject, result.verdict, result.node) == ("block:7", "valid", "node:8545")
    assert result.checks == [
        {
            "name": "hash",
            "status": "pass",
            "detail": 'a "quoted" \\ \t detail',
            "computed": "",
            "claimed": "",
        }
    ]
    assert Result.objects.count() == 10


def test_a_worker_that_was_away_too_long_writes_nothing(
    start: Start, new_ledger: NewLedger
) -> None:
    run = start(1)
    zombie, heir = new_ledger("zombie"), new_ledger("heir")
    stale = claimed(zombie)
    lapse_leases()
    assert heir.expire() == 1
    fresh = claimed(heir)
    assert not zombie.renew(stale)
    assert not zombie.settle(stale, outcomes(stale, Verdict.INVALID))
    assert not zombie.release(stale)
    assert Result.objects.count() == 0
    assert heir.settle(fresh, outcomes(fresh))
    assert not zombie.settle(stale, outcomes(stale, Verdict.INVALID))
    assert [r.verdict for r in Result.objects.filter(run_id=run.pk)] == ["valid"]


def test_settling_twice_counts_once(start: Start, ledger: Ledger) -> None:
    run = start(10)
    claim = claimed(ledger)
    assert ledger.settle(claim, outcomes(claim))
    assert not ledger.settle(claim, outcomes(claim))
    assert services.progress([run.pk])[run.pk].valid == 10


def test_a_lease_that_is_renewed_does_not_expire(start: Start, ledger: Ledger) -> None:
    start(1)
    claim = claimed(ledger)
    lapse_leases()
    assert ledger.renew(claim)
    assert ledger.expire() == 0


def test_a_chunk_of_many_is_split_when_its_worker_dies(start: Start, ledger: Ledger) -> None:
    run = start(25)
    first = claimed(ledger)
    assert len(first.subjects) == 25
    lapse_leases()
    ledger.expire()
    parts = [claimed(ledger) for _ in range(5)]
    assert ledger.claim() is None
    assert [s for part in parts for s in part.subjects] == list(first.subjects)
    for part in parts:
        assert ledger.settle(part, outcomes(part))
    assert services.progress([run.pk])[run.pk].done == 25
    run.refresh_from_db()
    assert run.state == RunState.DONE


def test_an_item_that_kills_every_worker_is_quarantined_and_its_neighbours_are_not(
    start: Start, ledger: Ledger
) -> None:
    run = start(25)
    deaths = 0
    while claim := ledger.claim():
        if "block:13" in claim.subjects:
            deaths += 1
            lapse_leases()
            ledger.expire()
        else:
            assert ledger.settle(claim, outcomes(claim))
    assert deaths == MAX_ATTEMPTS
    poisoned = Result.objects.get(run_id=run.pk, subject="block:13")
    assert (poisoned.verdict, poisoned.reason) == ("error", "poison")
    counts = services.progress([run.pk])[run.pk]
    assert (counts.valid, counts.error, counts.state) == (24, 1, "done")


def test_a_released_chunk_is_claimed_again_and_the_attempt_does_not_count(
    start: Start, ledger: Ledger
) -> None:
    start(1)
    claim = claimed(ledger)
    assert ledger.release(claim)
    again = claimed(ledger)
    assert (again.attempts, again.fence) == (1, claim.fence + 1)


def test_cancelling_refuses_what_a_worker_still_holds(start: Start, ledger: Ledger) -> None:
    run = start(10)
    claim = claimed(ledger)
    services.cancel_run(run)
    assert not ledger.renew(claim)
    assert not ledger.settle(claim, outcomes(claim))
    assert ledger.claim() is None
    assert services.progress([run.pk])[run.pk].done == 0


def test_a_new_run_takes_turns_with_one_that_is_under_way(start: Start, ledger: Ledger) -> None:
    bulk = start(5_000)
    for _ in range(4):
        claimed(ledger)
    other = start(5_000)
    order = [claimed(ledger).run for _ in range(6)]
    assert order.count(bulk.pk) == order.count(other.pk) == 3


def test_interactive_runs_go_first(start: Start, ledger: Ledger) -> None:
    start(5_000)
    small = start(5)
    assert claimed(ledger).run == small.pk


def test_outcomes_must_match_the_items(start: Start, ledger: Ledger) -> None:
    start(3)
    claim = claimed(ledger)
    with pytest.raises(ValueError, match="2 outcomes for 3 items"):
        ledger.settle(claim, outcomes(claim)[:2])
    assert Chunk.objects.get().state == ChunkState.LEASED


def test_a_hostile_text_cannot_break_the_copy(start: Start, ledger: Ledger) -> None:
    start(1)
    claim = claimed(ledger)
    nasty = 'nul \x00 tab \t line \n\r back \\ end \\. quote " \u2028 \U0001f600'
    [outcome] = outcomes(claim)
    check = type(outcome.checks[0])("hash", outcome.checks[0].status, nasty)
    changed = type(outcome)(
        subject=outcome.subject,
        verdict=outcome.verdict,
        level=2,
        reason="ok",
        checks=(check,),
        node="node\t\\.\n",
        ms=1.0,
    )
    assert ledger.settle(claim, [changed])
    assert Result.objects.get().checks[0]["detail"] == nasty.replace("\x00", "\ufffd")


class DiesBeforeTheEnd(Ledger):
    """Killed between the commit that closes the last chunk and the statement that ends the run."""

    def settle(
        self, claim: Claim, outcomes: Sequence[Outcome], is_settled: IsSettled | None = None
    ) -> bool:
        with patch("validation.ledger._FINISH", "SELECT %s"):
            return super().settle(claim, outcomes, is_settled)


def test_a_run_whose_last_worker_died_at_the_end_is_ended_by_whoever_sweeps_next(
    start: Start, ledger: Ledger
) -> None:
    run = start(10)
    dying = DiesBeforeTheEnd(ledger._connect, "dying")
    claim = claimed(dying)
    assert dying.settle(claim, outcomes(claim))
    dying.close()
    run.refresh_from_db()
    assert run.state == RunState.RUNNING
    ledger.expire()
    run.refresh_from_db()
    assert run.state == RunState.DONE


def test_what_a_dead_worker_held_does_not_wait_behind_a_newer_run(
    start: Start, ledger: Ledger
) -> None:
    old = start(5_000)
    while claim := ledger.claim():
        last = claim
        if claim.first + len(claim.subjects) < 5_000:
            ledger.settle(claim, outcomes(claim))
    start(5_000)
    lapse_leases()
    assert ledger.expire() == 1
    next_runs = [claimed(ledger).run for _ in range(3)]
    assert last.run == old.pk
    assert old.pk in next_runs


def test_an_expiry_that_is_rolled_back_leaves_no_trace_in_later_results(
    start: Start, new_ledger: NewLedger
) -> None:
    """A profile made within the transaction would be gone, and its number still in use."""
    run = start(1)
    ledger = new_ledger("unlucky")
    for _ in range(MAX_ATTEMPTS - 1):
        claimed(ledger)
        lapse_leases()
        ledger.expire()
    claimed(ledger)
    lapse_leases()
    with patch("validation.ledger._QUARANTINE", "SELECT 1/0"), pytest.raises(psycopg.Error):
        ledger.expire()
    assert ledger.expire() == 1
    assert [r.reason for r in services.results_page(run)] == ["poison"]


def test_chunks_left_by_a_split_during_a_cancel_are_never_worked(
    start: Start, ledger: Ledger
) -> None:
    run = start(25)
    claimed(ledger)
    lapse_leases()
    ledger.expire()
    # As if the pieces had been made outside the cancelling transaction's view.
    Run.objects.filter(pk=run.pk).update(state=RunState.CANCELLED)
    assert ledger.claim() is None
    ledger.expire()
    assert not Chunk.objects.filter(state=ChunkState.READY).exists()


def test_a_node_with_a_long_name_is_cut_not_refused(start: Start, ledger: Ledger) -> None:
    start(1)
    claim = claimed(ledger)
    [outcome] = outcomes(claim)
    long = msgspec.structs.replace(outcome, node="n" * 300)
    assert ledger.settle(claim, [long])
    assert len(Result.objects.get().node) == 120


def test_a_restarted_database_gives_the_living_time_to_renew(start: Start, ledger: Ledger) -> None:
    start(1)
    claim = claimed(ledger)
    lapse_leases()
    just_restarted = Ledger(ledger._connect, "x", restart_grace_s=10**6)
    assert just_restarted.expire() == 0
    just_restarted.close()
    assert ledger.renew(claim)
