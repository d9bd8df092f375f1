import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import msgspec
import psycopg
import pytest

from tests.runs.conftest import lapse_leases, outcomes
from validation import services
from validation.deciding import Decisions
from validation.ledger import Claim, IsSettled, Ledger
from validation.models import Chunk, Result, Run
from validation.resilience import Breakers
from validation.rpc import NodeUrl
from validation.validators import Outcome, Verdict
from validation.worker import HOLD_S, Worker

type Start = Callable[..., Run]


class NoCache:
    def resize(self, settings: Mapping[str, float], *, revision: int) -> None:
        return

    def purge(self, tag: str, *, age_s: float, revision: int) -> None:
        return


class Room:
    """Of memory: enough, until somebody says otherwise."""

    def __init__(self) -> None:
        self.refuses = self.is_hopeless = False


class InstantEngine:
    """Finds every item valid, at once; `before` sees each chunk first."""

    def __init__(self, before: Callable[[], object] = lambda: None) -> None:
        self.before = before
        self.breakers = Breakers()
        self.cache = NoCache()
        self.chain = None
        self.configured = (NodeUrl.parse("http://one:8545"), NodeUrl.parse("http://two:8545"))
        self.nodes: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        self.shares: list[int] = []
        self.decided: list[Decisions] = []
        self.memory = Room()

    def validate(
        self,
        subjects: tuple[str, ...],
        *,
        level: int | None,
        node_urls: tuple[str, ...],
        agreement: int | None = None,
        explain: bool = False,
    ) -> "Future[list[Outcome]]":
        self.before()
        future: Future[list[Outcome]] = Future()
        claim = Claim(
            chunk=0, run=0, first=0, fence=0, attempts=1, level=level, agreement=agreement,
            node_urls=node_urls, subjects=subjects, total=len(subjects),
        )  # fmt: skip
        self.finish(future, outcomes(claim))
        return future

    def finish(self, future: "Future[list[Outcome]]", found: list[Outcome]) -> None:
        future.set_result(found)

    def set_nodes(self, nodes: tuple[NodeUrl, ...], *, watched: tuple[NodeUrl, ...] = ()) -> None:
        self.nodes.append((tuple(map(str, nodes)), tuple(map(str, watched))))

    def decide(self, decisions: Decisions) -> Mapping[str, str]:
        self.decided.append(decisions)
        return {}

    def in_force(self) -> Mapping[str, str]:
        return {}

    def guard_memory(self, *, is_idle: bool) -> Room:
        return self.memory

    def share_with(self, processes: int, here: int) -> None:
        self.shares.append(processes)

    def begin(self) -> None:
        return

    def is_settled(self, number: int, block_hash: str) -> bool:
        return False

    def tell(self, changed: Callable[[str], None]) -> None:
        return

    def told(self) -> dict[str, Any]:
        return {}

    def stop(self) -> None:
        return


class HangingEngine(InstantEngine):
    def finish(self, future: "Future[list[Outcome]]", found: list[Outcome]) -> None:
        """Never."""


def test_draining_works_off_everything(start: Start, ledger: Ledger) -> None:
    run = start(1_000)
    assert Worker(ledger, InstantEngine()).drain() is False
    assert services.progress([run.pk])[run.pk].valid == 1_000


def test_a_message_keeps_a_worker_for_a_while_only(start: Start, ledger: Ledger) -> None:
    start(1_000)
    ticks = iter(range(100))
    worker = Worker(ledger, InstantEngine(), clock=lambda: float(next(ticks)))
    assert worker.drain(budget_s=2) is True
    assert 0 < Result.objects.count() < 1_000


def test_a_run_cancelled_under_way_leaves_no_result(start: Start, ledger: Ledger) -> None:
    run = start(10)
    engine = HangingEngine(before=lambda: services.cancel_run(run))
    assert Worker(ledger, engine, heartbeat_s=0.01).drain() is False
    assert not Result.objects.exists()


def test_stopping_gives_the_chunk_back_unharmed(start: Start, ledger: Ledger) -> None:
    start(1)
    worker: Worker
    engine = HangingEngine(before=lambda: worker._stopping.set())  # noqa: PLW0108 - made after the engine
    worker = Worker(ledger, engine, heartbeat_s=0.01)
    worker.drain()
    chunk = Chunk.objects.get()
    assert (chunk.state, chunk.attempts) == ("ready", 0)


def test_a_connection_lost_while_settling_is_made_again(start: Start, ledger: Ledger) -> None:
    run = start(10)
    engine = InstantEngine(before=ledger.close)
    assert Worker(ledger, engine).drain() is False
    assert services.progress([run.pk])[run.pk].valid == 10


class CommitUnheard(Ledger):
    """Its first commit goes through, but the answer is lost."""

    lost = False

    def settle(
        self, claim: Claim, outcomes: Sequence[Outcome], is_settled: IsSettled | None = None
    ) -> bool:
        done = super().settle(claim, outcomes, is_settled)
        if not self.lost:
            self.lost = True
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return done


def test_a_commit_whose_answer_was_lost_is_not_written_twice(
    start: Start, new_ledger: Callable[[str], Ledger]
) -> None:
    run = start(10)
    ledger = CommitUnheard(new_ledger("x")._connect, "x")
    Worker(ledger, InstantEngine()).drain()
    ledger.close()
    assert Result.objects.count() == 10
    assert services.progress([run.pk])[run.pk].done == 10
    run.refresh_from_db()
    assert run.state == "done"


@pytest.mark.django_db(transaction=True)
def test_nothing_to_do_is_no_work(ledger: Ledger) -> None:
    assert Worker(ledger, InstantEngine()).drain() is False


class BrokenEngine(InstantEngine):
    def finish(self, future: "Future[list[Outcome]]", found: list[Outcome]) -> None:
        future.set_exception(ValueError("nodes: at least one node URL is needed"))


def test_a_defect_is_an_error_of_the_items_not_the_death_of_workers(
    start: Start, ledger: Ledger
) -> None:
    run = start(10)
    assert Worker(ledger, BrokenEngine()).drain() is False
    assert services.progress([run.pk])[run.pk].error == 10
    assert set(Result.objects.values_list("reason", flat=True)) == {"internal"}


class RenewalsFail(Ledger):
    def renew(self, claim: Claim) -> bool:
        raise psycopg.OperationalError("the connection is lost")


def test_a_renewal_that_failed_does_not_throw_the_work_away(
    start: Start, new_ledger: Callable[[str], Ledger]
) -> None:
    run = start(10)
    ledger = RenewalsFail(new_ledger("x")._connect, "x")
    engine = LateEngine()
    Worker(ledger, engine, heartbeat_s=0.01).drain()
    ledger.close()
    assert services.progress([run.pk])[run.pk].valid == 10


class LateEngine(InstantEngine):
    """Answers a moment later than the worker's first look."""

    def finish(self, future: "Future[list[Outcome]]", found: list[Outcome]) -> None:
        threading.Timer(0.05, future.set_result, [found]).start()


class Died(Exception):
    pass


def test_a_process_without_room_begins_nothing_until_there_is_some(
    start: Start, ledger: Ledger
) -> None:
    run = start(10)
    engine = InstantEngine()
    worker = Worker(ledger, engine)
    engine.memory.refuses = True
    assert worker.drain() is False
    chunk = Chunk.objects.get()
    assert (chunk.state, chunk.attempts) == ("ready", 0)  # for another to take
    engine.memory.refuses = False
    worker.drain()
    assert services.progress([run.pk])[run.pk].valid == 10


def test_a_process_that_never_gets_room_ends_for_a_new_one(start: Start, ledger: Ledger) -> None:
    start(1)
    ended = threading.Event()
    engine = InstantEngine()
    engine.memory.refuses = engine.memory.is_hopeless = True
    worker = Worker(ledger, engine, recycle=ended.set)
    assert worker.drain() is False
    assert ended.wait(5)
    ended.clear()
    assert worker.drain() is False
    assert not ended.wait(0.1), "it ends once"
    chunk = Chunk.objects.get()
    assert (chunk.state, chunk.attempts) == ("ready", 0)


class BlindEngine(LateEngine):
    """Cannot look after its memory once it is at work."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def guard_memory(self, *, is_idle: bool) -> Room:
        self.looks += 1
        raise MemoryError("no room for the look itself")


def test_a_look_at_memory_that_fails_is_no_items_fault(start: Start, ledger: Ledger) -> None:
    run = start(10)
    engine = BlindEngine()
    Worker(ledger, engine, heartbeat_s=0.01).drain()
    assert engine.looks > 2
    assert services.progress([run.pk])[run.pk].valid == 10


def test_an_engine_that_is_stuck_ends_the_process_and_frees_its_chunk(
    start: Start, ledger: Ledger
) -> None:
    start(1)
    ticks = itertools.count(step=10.0)

    def die() -> None:
        raise Died

    worker = Worker(ledger, HangingEngine(), clock=lambda: next(ticks), heartbeat_s=0.01, die=die)
    worker.drain(budget_s=1_000)
    # The process would be gone; here the exception is taken for a defect of the engine.
    assert Result.objects.get().reason == "internal"


def test_leases_are_taken_back_between_the_chunks_of_a_busy_worker(
    start: Start, new_ledger: Callable[[str], Ledger]
) -> None:
    run = start(1_000)
    dead = new_ledger("dead").claim()
    assert dead is not None
    lapse_leases()
    Worker(new_ledger("alive"), InstantEngine()).drain()
    assert services.progress([run.pk])[run.pk].done == 1_000


class ShutEngine(InstantEngine):
    """Nodes whose breakers are open as long as `shut`."""

    shut = True

    def finish(self, future: "Future[list[Outcome]]", found: list[Outcome]) -> None:
        reason = "breaker_open" if self.shut else "ok"
        verdict = Verdict.ERROR if self.shut else Verdict.VALID
        future.set_result([
            msgspec.structs.replace(outcome, reason=reason, verdict=verdict) for outcome in found
        ])  # fmt: skip


def test_while_its_nodes_are_shut_a_chunk_waits_behind_the_others_and_loses_nothing(
    start: Start, ledger: Ledger
) -> None:
    run = start(1_000)
    engine = ShutEngine()
    now = [0.0]

    def tick() -> None:
        now[0] += 1.0

    engine.before = tick
    worker = Worker(ledger, engine, clock=lambda: now[0])
    assert worker.drain(budget_s=5) is True
    assert not Result.objects.exists()
    assert set(Chunk.objects.values_list("state", "attempts")) == {("ready", 0)}
    engine.shut = False
    assert worker.drain(budget_s=60) is False
    assert services.progress([run.pk])[run.pk].valid == 1_000


def test_a_chunk_is_given_up_after_an_hour_of_shut_nodes(start: Start, ledger: Ledger) -> None:
    start(1)
    engine = ShutEngine()
    now = [0.0]
    worker = Worker(ledger, engine, clock=lambda: now[0])

    def jump() -> None:
        now[0] += HOLD_S / 2

    engine.before = jump
    assert worker.drain(budget_s=HOLD_S * 3) is False
    assert Result.objects.get().reason == "breaker_open"
