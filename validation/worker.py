"""One worker process: it drains chunks when a message rings, and looks for work by itself."""

import os
import random
import resource
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any, Protocol

import structlog

from monitoring import snapshots
from monitoring.instruments import WORKERS_RECYCLED
from validation import heeding, retractions, tally, tracing
from validation.deciding import FlagSource, NoFlags
from validation.engine import is_to_repeat
from validation.footprint import resident_bytes
from validation.heeding import DATABASE_AWAY, Heeding
from validation.ledger import HEARTBEAT_S, LEASE_S, Claim, Ledger
from validation.listening import Listener
from validation.rate import Rate
from validation.reporter import Reporter
from validation.said import Said
from validation.validators import Outcome, Verdict

log = structlog.get_logger(__name__)

# How long one message keeps a process: long enough to pay for itself, short enough to stop soon.
DRAIN_S = 2.0
LOOK_EVERY_S = 2.0
# How soon an operator's word is heard, whether work is at hand or not.
HEED_EVERY_S = 0.4
_SOON_S = 0.02
RECONNECT_S = 0.25
# A chunk is held back so long where its nodes are shut, before its items are given up as errors.
HOLD_S = 3_600.0
_HELD_KEPT = 10_000
# The engine ends a chunk far below this, whatever nodes do: what takes longer is stuck for ever.
STUCK_S = 120.0
# Of the items of a run so small it is told where the time went, and what each check compared.
EXPLAINED_ITEMS = 100


class Memory(Protocol):
    """Of this process: `validation.memory.MemoryGuard`."""

    @property
    def refuses(self) -> bool:
        """There is no room for a chunk now."""

    @property
    def is_hopeless(self) -> bool:
        """Nor will there be, but in a new process: this one is what grew."""


class ChunkEngine(heeding.Steered, Protocol):
    """`validation.fleet_engine.FleetEngine` is one."""

    @property
    def chain(self) -> retractions.Chain | None: ...
    def guard_memory(self, *, is_idle: bool) -> "Memory": ...
    def validate(
        self,
        subjects: tuple[str, ...],
        *,
        level: int | None,
        node_urls: tuple[str, ...],
        agreement: int | None = None,
        explain: bool = False,
    ) -> "Future[list[Outcome]]": ...
    def is_settled(self, number: int, block_hash: str) -> bool: ...
    def share_with(self, processes: int, here: int) -> None: ...
    def tell(self, changed: Callable[[str], None]) -> None: ...
    def told(self) -> dict[str, Any]: ...
    def stop(self) -> None: ...


class Worker:
    """Claims, validates and settles chunks, one at a time.

    Celery's thread and the looker's both call `drain`; one lock keeps them, and the ledger's
    only connection, apart.
    """

    def __init__(
        self,
        ledger: Ledger,
        engine: ChunkEngine,
        *,
        flags: FlagSource | None = None,
        clock: Callable[[], float] = time.monotonic,
        heartbeat_s: float = HEARTBEAT_S,
        die: Callable[[], None] = lambda: os._exit(70),
        recycle: Callable[[], None] = lambda: os._exit(70),
    ) -> None:
        self.id = snapshots.worker_id()
        self._ledger = ledger
        self._engine = engine
        self._heeding = Heeding(engine, flags or NoFlags(), holder=self.id, clock=clock)
        ledger.configured = tuple(node.label for node in engine.configured)
        self._clock = clock
        self._heartbeat_s = heartbeat_s
        self._die = die
        self._recycle = recycle
        self._is_spent = False
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._looker = threading.Thread(target=self._look_for_work, name="looker", daemon=True)
        self._listener = Listener(self._hear)
        # Rung when an operator changed something: for who looks for work, and who awaits a chunk.
        self._bell = threading.Event()
        self._chunk_bell = threading.Event()
        self._reporter = Reporter(self._snapshot, engine.share_with)
        engine.tell(self._reporter.changed)
        self._said = Said()
        self._next_sweep = 0.0
        self._next_heed = 0.0
        self._retracting: retractions.Sweeper | None = None
        self._started_at = time.time()
        self._run: int | None = None
        self._held: dict[int, float] = {}
        self._items = 0
        self._chunks = 0
        self._rate = Rate(clock)

    def start(self) -> None:
        self._heeding.start()
        self._looker.start()
        self._reporter.start()
        self._listener.start()

    def stop(self) -> None:
        """Ends in good order: the chunk at hand is given back unharmed."""
        self._stopping.set()
        self._listener.stop()
        self._hear()
        self._looker.join(timeout=3)
        try:
            with self._lock:
                self._heeding.stop(self._ledger.opened)
                self._ledger.close()
            self._reporter.stop()
        finally:
            self._engine.stop()

    def drain(self, budget_s: float = DRAIN_S) -> bool:
        """Works off chunks for at most `budget_s`; True where there may be more to do."""
        deadline = self._clock() + budget_s
        with self._lock:
            while not self._stopping.is_set():
                now = self._clock()
                if now >= deadline:
                    return True
                self._heed()  # before the first claim: what is forced holds from the first item on
                if now >= self._next_sweep:
                    # Here too: where work never ends, the sweeper's message waits behind it.
                    self._next_sweep = now + LOOK_EVERY_S
                    self._sweep()
                if not self._has_room():
                    return False
                claim = self._ledger.claim()
                if claim is None:
                    return False
                self._work(claim)
        return False

    def _hear(self) -> None:
        """Whoever has the worker's turn heeds at once. Any thread may call it."""
        self._next_heed = 0.0
        self._bell.set()
        self._chunk_bell.set()

    def _heed(self) -> None:
        """Obeys what operators changed and says so. Caller holds the lock."""
        self._heeding.tend()
        now = self._clock()
        if now >= self._next_heed:
            self._next_heed = now + HEED_EVERY_S  # before it reads: what is heard then is read next
            try:
                if self._heeding.heed(lambda: self._ledger.connection):
                    self._reporter.report_soon()
            except DATABASE_AWAY:
                raise
            except Exception:
                # What operators want is not acknowledged, which they see; no item suffers for it.
                log.exception("controls.not_heeded")

    def _has_room(self) -> bool:
        """False where a chunk might be one too many for this process's memory: others take it.
        Caller holds the lock, and no chunk: where this process ends here, no item knows of it.
        """
        memory = self._guarded(is_idle=True)
        if memory is None:
            return True  # what cannot be looked at is no reason to let work lie
        if memory.is_hopeless and not self._is_spent:
            self._is_spent = True
            WORKERS_RECYCLED.inc()
            log.warning(
                "worker.recycled", why="memory", do="nothing: a new process takes its place"
            )
            # Whoever ends it waits for the lock, which the caller holds.
            threading.Thread(target=self._recycle, name="recycler", daemon=True).start()
        return not memory.refuses

    def _guarded(self, *, is_idle: bool) -> Memory | None:
        """Looks after the memory; None where that failed, which is no item's fault."""
        try:
            return self._engine.guard_memory(is_idle=is_idle)
        except Exception as error:
            if self._said.is_news("memory", error):
                log.exception("memory.not_guarded")
            return None

    def _sweep(self) -> None:
        """Takes back what dead workers held, and verdicts whose block is in the chain no more."""
        self._ledger.expire()
        if self._retracting is None and self._engine.chain is not None:
            self._retracting = retractions.Sweeper(self._engine.chain)  # its first node came late
        if self._retracting is not None:
            for run in self._retracting.sweep(self._ledger.connection):
                self._reporter.changed(f"run:{run}")

    def _work(self, claim: Claim) -> None:
        self._run = claim.run
        try:
            with tracing.chunk(claim) as traced:
                if outcomes := self._worked(claim):
                    traced(outcomes)
        finally:
            self._run = None
            self._reporter.changed(f"run:{claim.run}")

    def _worked(self, claim: Claim) -> list[Outcome] | None:
        """What was settled; None where the chunk was lost, given back or held."""
        outcomes = self._outcomes(claim)
        if outcomes is None:
            log.info("chunk.lost", run=claim.run, first=claim.first, fence=claim.fence)
            return None
        if self._holds(claim, outcomes):
            return None
        cordons = self._ledger.cordons
        if not self._settled(claim, outcomes):
            return None
        tally.count(outcomes)
        if any(outcome.caught for outcome in outcomes):
            for topic in ("nodes", "overview"):
                self._reporter.changed(topic)
        if self._ledger.cordons != cordons:
            self._reporter.changed("controls")  # every worker heeds at once
        self._items += len(outcomes)
        self._chunks += 1
        self._rate.add(len(outcomes))
        return outcomes

    def _holds(self, claim: Claim, outcomes: list[Outcome]) -> bool:
        """Gives a chunk back where its nodes let nobody ask, so that an outage or an operator's
        hand costs time and no items: what was found is cached, and asked for again at no cost.
        """
        if not is_to_repeat(outcomes):
            self._held.pop(claim.chunk, None)
            return False
        now = self._clock()
        since = self._held.setdefault(claim.chunk, now)
        if now - since >= HOLD_S:
            return False
        while len(self._held) > _HELD_KEPT:
            del self._held[next(iter(self._held))]
        try:
            self._ledger.postpone(claim)
        except DATABASE_AWAY:
            log.warning("database.unreachable", run=claim.run)  # its lease runs out
        log.info("chunk.held", run=claim.run, first=claim.first, for_s=round(now - since))
        return True

    def _outcomes(self, claim: Claim) -> list[Outcome] | None:
        """What the engine found; None where the chunk was lost or given back meanwhile."""
        future: Future[list[Outcome]] | None = None
        try:
            future = self._engine.validate(
                claim.subjects,
                level=claim.level,
                node_urls=claim.node_urls,
                agreement=claim.agreement,
                explain=claim.total <= EXPLAINED_ITEMS,
            )
            return self._awaited(future, claim)
        except (CancelledError, *DATABASE_AWAY):
            return None
        except Exception:
            # Not the node's fault and not the items': said as what it is, instead of killing on.
            log.exception("chunk.failed", run=claim.run, first=claim.first)
            return [_failed(subject) for subject in claim.subjects]
        finally:
            if future is not None:
                future.cancel()  # nothing, where it is done; else nobody waits for it any more

    def _awaited(self, future: "Future[list[Outcome]]", claim: Claim) -> list[Outcome] | None:
        started = self._clock()
        stuck_at, renew_at = started + STUCK_S, started + self._heartbeat_s
        turn_s = min(HEED_EVERY_S, self._heartbeat_s)
        bell = self._chunk_bell
        future.add_done_callback(lambda _done: bell.set())
        while True:
            bell.wait(turn_s)
            bell.clear()  # before the look: who rings after it is heard the next time
            if future.done():
                return future.result()
            if self._stopping.is_set():
                self._ledger.release(claim)
                return None
            self._guarded(is_idle=False)
            if self._clock() >= stuck_at:
                log.error("worker.stuck", run=claim.run, first=claim.first, after_s=STUCK_S)
                self._die()
            try:
                self._heed()
                if self._clock() >= renew_at:
                    renew_at = self._clock() + self._heartbeat_s
                    if not self._ledger.renew(claim):
                        return None
            except DATABASE_AWAY:
                log.warning("lease.not_renewed", run=claim.run, first=claim.first)

    def _settled(self, claim: Claim, outcomes: list[Outcome]) -> bool:
        """Settles through a restart of the database, as long as the lease may hold.

        Safe to repeat: where the first commit went through unheard, the chunk is closed already
        and the second writes nothing.
        """
        deadline = self._clock() + LEASE_S
        while True:
            try:
                return self._ledger.settle(claim, outcomes, self._engine.is_settled)
            except DATABASE_AWAY:
                if self._clock() >= deadline or self._stopping.wait(RECONNECT_S):
                    raise

    def _look_for_work(self) -> None:
        """Every two seconds takes work that nobody rang for: the broker may have lost it."""
        # Jitter of the first look only: workers started together should not all look at once.
        next_look = self._clock() + LOOK_EVERY_S * random.random()  # noqa: S311
        while True:
            # Where whoever holds the lock may just have finished without hearing: again, and soon.
            self._bell.wait(_SOON_S if self._next_heed == 0.0 else HEED_EVERY_S)
            self._bell.clear()
            if self._stopping.is_set():
                return
            try:
                if self._lock.locked():
                    continue  # whoever works heeds too
                with self._lock:
                    self._heed()
                if self._clock() >= next_look:
                    next_look = self._clock() + LOOK_EVERY_S
                    while not self._lock.locked() and self.drain():
                        pass
            except DATABASE_AWAY as exc:
                self._next_heed = self._clock() + LOOK_EVERY_S
                log.warning("database.unreachable", error=type(exc).__name__)
            except Exception:
                # A thread that ends here would end the promise that a lost message costs seconds.
                log.exception("look.failed")

    def _snapshot(self) -> snapshots.WorkerSnapshot:
        host, _, pid = self.id.rpartition(":")
        return snapshots.WorkerSnapshot(
            id=self.id,
            host=host,
            pid=int(pid),
            started_at=self._started_at,
            busy=self._run is not None,
            run=self._run,
            items_done=self._items,
            chunks_done=self._chunks,
            rate=self._rate.per_second(),
            rss_bytes=_rss_bytes(),
            **self._heeding.told(),
            **self._engine.told(),
        )


def _failed(subject: str) -> Outcome:
    return Outcome(
        subject=subject,
        verdict=Verdict.ERROR,
        level=0,
        reason="internal",
        checks=(),
        node="",
        ms=0.0,
    )


def _rss_bytes() -> int:
    """Where nothing tells, the peak is the next best."""
    return resident_bytes() or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
