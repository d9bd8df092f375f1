"""Verdicts are taken back when their block leaves the chain: whoever sees it, whenever they settle,
and whoever is killed in between.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

import msgspec
import pytest
from django.db.models.functions import Now

from tests.heads.chain import Chain, ChainNode
from tests.runs.conftest import outcomes
from validation import retention, retractions, services, wiring
from validation.heads import ChainView
from validation.ledger import Claim, Ledger
from validation.models import Anchor, Chunk, Orphan, Result, Retraction, Run
from validation.retractions import Sweeper
from validation.validators import BlockRef, Outcome, Verdict
from validation.validators.findings import Findings

type Start = Callable[..., Run]
type NewLedger = Callable[[str], Ledger]

FINAL = 70


class Process:
    """A worker process: its ledger, its view of the chain, and its sweeps."""

    def __init__(self, ledger: Ledger, node: ChainNode) -> None:
        self.ledger = ledger
        self.view = ChainView(node)
        self.sweeper = Sweeper(self.view)
        self.look()

    def look(self) -> None:
        assert asyncio.run(self.view.poll())

    def sweep(self) -> list[int]:
        return self.sweeper.sweep(self.ledger.connection)

    def rounds(self, count: int = 3) -> list[int]:
        """As many polls and sweeps; which runs they touched."""
        touched: list[int] = []
        for _ in range(count):
            self.look()
            touched += self.sweep()
        return touched

    def settle_in(self, blocks: Sequence[BlockRef | None], *, knows_final: bool = True) -> Claim:
        """Claims a chunk and finds each item valid, in these blocks by turns."""
        claim = self.ledger.claim()
        assert claim is not None
        is_settled = self.view.is_settled if knows_final else None
        assert self.ledger.settle(claim, tied(outcomes(claim), blocks), is_settled)
        return claim


def tied(found: Sequence[Outcome], blocks: Sequence[BlockRef | None]) -> list[Outcome]:
    return [
        msgspec.structs.replace(outcome, block=blocks[n % len(blocks)])
        for n, outcome in enumerate(found)
    ]


@pytest.fixture
def chain() -> Chain:
    return Chain(200)


@pytest.fixture
def node(chain: Chain) -> ChainNode:
    return ChainNode(chain, final=FINAL)


@pytest.fixture
def process(new_ledger: NewLedger, node: ChainNode) -> Callable[[str], Process]:
    return lambda name: Process(new_ledger(name), node)


@pytest.fixture
def worker(process: Callable[[str], Process]) -> Process:
    return process("worker")


def verdicts(run: Run) -> dict[str, int]:
    found = list(Result.objects.filter(run_id=run.pk).values_list("verdict", "reason", "level"))
    return {f"{v} {r} {level}": found.count((v, r, level)) for v, r, level in found}


def assert_counts_are_those_of_the_rows(run: Run) -> None:
    told = services.progress([run.pk])[run.pk]
    rows = list(Result.objects.filter(run_id=run.pk).values_list("verdict", flat=True))
    assert (told.valid, told.unverifiable, told.done) == (
        rows.count("valid"), rows.count("unverifiable"), len(rows),
    )  # fmt: skip
    for chunk in Chunk.objects.filter(run_id=run.pk, state="done"):
        span = (chunk.first, chunk.first + chunk.size - 1)
        own = Result.objects.filter(run_id=run.pk, ordinal__range=span)
        assert chunk.valid == own.filter(verdict="valid").count()
        assert chunk.unverifiable == own.filter(verdict="unverifiable").count()


def test_only_what_is_not_final_is_anchored(start: Start, worker: Process, chain: Chain) -> None:
    run = start(4)
    worker.settle_in([chain.at(129), chain.at(130), chain.at(199), None])
    anchors = Anchor.objects.filter(run_id=run.pk).order_by("ordinal")
    assert list(anchors.values_list("ordinal", "block_number", "block_hash")) == [
        (1, 130, chain.at(130).hash),
        (2, 199, chain.at(199).hash),
    ]


def test_where_finality_is_not_known_all_is(start: Start, worker: Process, chain: Chain) -> None:
    start(2)
    worker.settle_in([chain.at(0), chain.at(199)], knows_final=False)
    assert Anchor.objects.count() == 2


@pytest.mark.parametrize("verdict", [Verdict.INVALID, Verdict.ERROR, Verdict.NOT_FOUND])
def test_what_a_node_contradicted_itself_in_is_no_matter_of_its_block(
    start: Start, worker: Process, chain: Chain, verdict: Verdict
) -> None:
    start(1)
    claim = worker.ledger.claim()
    assert claim is not None
    assert worker.ledger.settle(claim, tied(outcomes(claim, verdict), [chain.head]))
    assert not Anchor.objects.exists()


def test_a_run_on_nodes_of_its_own_is_not_anchored_to_the_fleets_chain(
    start: Start, worker: Process, chain: Chain
) -> None:
    start(1, node_urls=["http://127.0.0.1:1/"])
    worker.settle_in([chain.head])
    assert not Anchor.objects.exists()


def test_source_and_age_are_kept(start: Start, worker: Process) -> None:
    start(1)
    claim = worker.ledger.claim()
    assert claim is not None
    found = [msgspec.structs.replace(o, source="l2", age_s=12.3456) for o in outcomes(claim)]
    assert worker.ledger.settle(claim, found)
    assert Result.objects.values_list("source", "age_s").get() == ("l2", 12.346)


def test_a_block_beyond_what_the_table_holds_takes_no_chunk_with_it(
    start: Start, worker: Process
) -> None:
    start(1)
    claim = worker.ledger.claim()
    assert claim is not None
    findings = Findings()
    findings.stands_in(hex(2**64 - 1), "0x" + "11" * 32)
    assert findings.block is None
    findings.stands_in(hex(2**63 - 1), "0x" + "11" * 32)
    assert worker.ledger.settle(claim, tied(outcomes(claim), [findings.block]))
    assert Anchor.objects.get().block_number == 2**63 - 1


@pytest.mark.parametrize("depth", [1, 3, 60])
def test_verdicts_of_the_blocks_that_left_are_taken_back_and_no_others(
    start: Start, worker: Process, chain: Chain, depth: int
) -> None:
    run = start(1_000)
    blocks = [chain.at(number) for number in range(140, 200)]
    while Chunk.objects.filter(state="ready").exists():
        worker.settle_in(blocks)
    for _ in range(8):
        worker.look()
    chain.reorganise(depth)
    assert run.pk in worker.rounds(2)
    gone = len([n for n in numbers_of(run) if n >= 200 - depth])
    expected = {"valid ok 2": 1_000 - gone, "unverifiable reorganised 0": gone}
    assert verdicts(run) == {k: n for k, n in expected.items() if n}
    assert Retraction.objects.count() == gone
    assert Anchor.objects.filter(run_id=run.pk).count() == 1_000 - gone
    kept = Retraction.objects.values_list("verdict", "level", "reason").distinct()
    assert list(kept) == [("valid", 2, "ok")]
    assert_counts_are_those_of_the_rows(run)


def numbers_of(run: Run) -> list[int]:
    """The block that each item of a chunk was said to be in: they begin anew in each chunk."""
    chunks = Chunk.objects.filter(run_id=run.pk, state="done").values_list("size", flat=True)
    return [140 + n % 60 for size in chunks for n in range(size)]


def test_it_is_done_once(start: Start, worker: Process, chain: Chain) -> None:
    run = start(10)
    worker.settle_in([chain.head])
    chain.reorganise(1)
    assert worker.rounds(5).count(run.pk) == 1
    assert Retraction.objects.count() == 10
    assert services.progress([run.pk])[run.pk].unverifiable == 10


def test_a_verdict_settled_after_the_reorganisation_was_recorded_is_taken_back_at_once(
    start: Start, process: Callable[[str], Process], chain: Chain
) -> None:
    """It was found before; nobody need sweep again."""
    run = start(10)
    slow, quick = process("slow"), process("quick")
    [gone] = chain.reorganise(1)
    quick.rounds(1)
    slow.settle_in([gone])
    assert verdicts(run) == {"unverifiable reorganised 0": 10}
    assert_counts_are_those_of_the_rows(run)


def test_one_settled_before_it_is_recorded_by_a_process_that_never_saw_it_either(
    start: Start, process: Callable[[str], Process], chain: Chain
) -> None:
    run = start(10)
    process("saw it").settle_in([chain.head])
    chain.reorganise(1)
    assert process("began after it").rounds(3) == [run.pk]
    assert verdicts(run) == {"unverifiable reorganised 0": 10}


@pytest.mark.parametrize("killed_after", ["seen", "record", "retract"])
def test_whoever_is_killed_in_between_another_ends_it(
    start: Start, process: Callable[[str], Process], chain: Chain, killed_after: str
) -> None:
    run = start(10)
    doomed = process("doomed")
    doomed.settle_in([chain.head])
    [gone] = chain.reorganise(1)
    doomed.look()
    assert doomed.view.is_orphaned(gone.hash)
    if killed_after != "seen":
        retractions.record(doomed.ledger.connection, [gone])
    if killed_after == "retract":
        assert retractions.retract(doomed.ledger.connection) == [run.pk]
    doomed.ledger.close()
    process("heir").rounds(3)
    assert verdicts(run) == {"unverifiable reorganised 0": 10}
    assert Retraction.objects.count() == 10
    assert_counts_are_those_of_the_rows(run)


def test_a_connection_that_dies_within_a_retraction_leaves_nothing_half_done(
    start: Start, worker: Process, chain: Chain
) -> None:
    run = start(10)
    worker.settle_in([chain.head])
    retractions.record(worker.ledger.connection, chain.reorganise(1))
    with wiring.connect() as dying:
        dying.autocommit = False
        assert retractions.retract(dying) == [run.pk]
        dying.close()  # before it was committed
    assert verdicts(run) == {"valid ok 2": 10}
    assert_counts_are_those_of_the_rows(run)
    assert worker.rounds(1) == [run.pk]
    assert_counts_are_those_of_the_rows(run)


def test_one_that_is_frozen_within_its_retraction_holds_up_nobody(
    start: Start, new_ledger: NewLedger, process: Callable[[str], Process], chain: Chain
) -> None:
    """It is not waited for: others sweep, settle and claim, and end it once it is gone."""
    run = start(10)
    alive = process("alive")
    alive.settle_in([chain.head])
    [gone] = chain.reorganise(1)
    retractions.record(alive.ledger.connection, [gone])
    with wiring.connect() as frozen:
        frozen.autocommit = False
        retractions.retract(frozen)
        other = start(10)
        alive.ledger.connection.execute("SET statement_timeout = '2s'")
        assert alive.rounds(2) == []
        alive.settle_in([gone])
        assert verdicts(other) == {"valid ok 2": 10}
        frozen.rollback()
    assert sorted(alive.rounds(2)) == [run.pk, other.pk]


def test_many_at_once_take_each_back_once(
    start: Start, process: Callable[[str], Process], chain: Chain
) -> None:
    run = start(5_000)
    workers = [process(f"worker {n}") for n in range(4)]
    blocks = [chain.at(number) for number in range(190, 200)]
    while Chunk.objects.filter(state="ready").exists():
        workers[0].settle_in(blocks)
    chain.reorganise(5)
    errors: list[Exception] = []

    def live(worker: Process) -> None:
        try:
            worker.rounds(4)
        except Exception as error:  # noqa: BLE001 - told by the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=live, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    workers[0].rounds(2)
    assert errors == []
    gone = Retraction.objects.count()
    assert verdicts(run) == {"valid ok 2": 5_000 - gone, "unverifiable reorganised 0": gone}
    assert gone == 2_500
    assert_counts_are_those_of_the_rows(run)


def test_a_block_that_comes_back_carries_verdicts_again(
    start: Start, process: Callable[[str], Process], chain: Chain
) -> None:
    first = start(10)
    workers = [process("a"), process("b")]
    workers[0].settle_in([chain.head])
    once = list(chain.blocks)
    [gone] = chain.reorganise(1)
    for worker in workers:
        worker.rounds(2)
    chain.return_to(once)
    for worker in workers * 2:
        worker.rounds(2)
    assert not Orphan.objects.filter(block_hash=gone.hash).exists()
    second = start(10)
    workers[1].settle_in([gone])
    for worker in workers * 2:
        worker.rounds(2)
    assert verdicts(second) == {"valid ok 2": 10}
    # What was taken back before stays so: somebody has read it.
    assert verdicts(first) == {"unverifiable reorganised 0": 10}


def test_what_became_final_stands_for_good(start: Start, worker: Process, chain: Chain) -> None:
    run = start(10)
    worker.settle_in([chain.at(150), chain.at(199)])
    chain.mine(40)
    worker.rounds(3)
    assert list(Anchor.objects.values_list("block_number", flat=True)) == [199] * 5
    chain.mine(100)
    worker.rounds(3)
    assert not Anchor.objects.exists()
    assert verdicts(run) == {"valid ok 2": 10}


def test_what_left_unseen_and_was_overtaken_by_finality_is_not_taken_for_final(
    start: Start, process: Callable[[str], Process], chain: Chain
) -> None:
    """The whole fleet was down from before the reorganisation until long after it."""
    run = start(10)
    process("then").settle_in([chain.head])
    chain.reorganise(1)
    chain.mine(2_000)
    process("now").rounds(3)
    assert verdicts(run) == {"unverifiable reorganised 0": 10}


def test_nothing_is_said_while_the_node_is_behind(
    start: Start, worker: Process, chain: Chain, node: ChainNode
) -> None:
    run = start(10)
    worker.settle_in([chain.head])
    worker.sweep()
    chain.reorganise(1)
    node.lag = 5
    worker.rounds(3)
    assert verdicts(run) == {"valid ok 2": 10}
    node.lag = 0
    worker.rounds(1)
    assert verdicts(run) == {"unverifiable reorganised 0": 10}


def test_more_blocks_than_a_sweep_asks_about_are_asked_about_by_turns(
    start: Start, worker: Process, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retractions, "_WATCHED", 7)
    start(60)
    blocks = [chain.at(number) for number in range(140, 200)]
    while Chunk.objects.filter(state="ready").exists():
        worker.settle_in(blocks)
    chain.mine(200)
    worker.rounds(30)
    assert not Anchor.objects.exists()


def test_a_sweep_goes_on_for_a_bounded_time_and_the_next_goes_on(
    start: Start, new_ledger: NewLedger, node: ChainNode, chain: Chain,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(retractions, "_AT_ONCE", 10)
    run = start(50)
    worker = Process(new_ledger("slow"), node)
    ticks = iter(range(1_000))
    worker.sweeper = Sweeper(worker.view, clock=lambda: float(next(ticks)))
    while Chunk.objects.filter(state="ready").exists():
        worker.settle_in([chain.head])
    chain.reorganise(1)
    for done in (10, 20, 30):
        worker.rounds(1)
        assert Retraction.objects.count() == done
        assert_counts_are_those_of_the_rows(run)


def test_anchors_of_a_run_that_is_gone_go_too(start: Start, worker: Process, chain: Chain) -> None:
    run = start(10)
    worker.settle_in([chain.head])
    Result.objects.all().delete()
    Run.objects.filter(pk=run.pk).delete()
    chain.reorganise(1)
    worker.rounds(2)
    assert not Anchor.objects.exists()
    assert not Retraction.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_orphans_are_forgotten_after_a_day_unless_a_verdict_rests_on_them() -> None:
    kept = BlockRef(number=1, hash="0x" + "11" * 32)
    for number, digit in enumerate("123"):
        Orphan.objects.create(block_hash="0x" + digit * 64, block_number=number)
    old = ["0x" + digit * 64 for digit in "12"]
    Orphan.objects.filter(block_hash__in=old).update(seen_at=Now() - timedelta(hours=25))
    run = Run.objects.create(origin="cli", total=1)
    Anchor.objects.create(run=run, ordinal=0, block_number=1, block_hash=kept.hash)
    Anchor.objects.create(run_id=10**9, ordinal=0, block_number=1, block_hash="0x" + "2" * 64)
    Retraction.objects.create(
        run_id=10**9, ordinal=0, verdict="valid", level=2, reason="ok", block_number=1,
        block_hash="0x",
    )  # fmt: skip
    assert retention.forget_orphans() == 1
    left = set(Orphan.objects.values_list("block_hash", flat=True))
    assert left == {kept.hash, "0x" + "3" * 64}
    assert Anchor.objects.get().run_id == run.pk
    assert not Retraction.objects.exists()


def test_what_was_taken_back_can_be_validated_again(
    start: Start, worker: Process, chain: Chain
) -> None:
    run = start(20)
    worker.settle_in([chain.at(150), chain.head])
    chain.reorganise(1)
    worker.rounds(1)
    run.refresh_from_db()
    again = services.retry_run(run, origin="cli", reason="reorganised")
    assert again.total == 10
    worker.settle_in([chain.head])
    worker.rounds(3)
    assert verdicts(again) == {"valid ok 2": 10}
    assert verdicts(run) == {"valid ok 2": 10, "unverifiable reorganised 0": 10}
