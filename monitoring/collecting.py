"""Collects every five seconds, in one of all processes that offer to: publishes what each source
said, and keeps the figures of every other look in Postgres.

In a thread of its own of the web processes and of beat, so that neither busy workers nor a broker
that is away leave the console blind. While Postgres is away nobody can be elected: then all who
offer publish, which counts nothing twice, and nothing is kept.
"""

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
import psycopg
import structlog
from django.conf import settings
from django.db import connection, connections, transaction

from monitoring import canary, events, snapshots
from monitoring.collectors import celery, pgbouncer, processes, tasks, told, valkey
from monitoring.collectors.outcome import Outcome, look
from monitoring.collectors.pgbouncer import PgBouncerCollector
from monitoring.collectors.postgres import SOURCE, PostgresCollector
from monitoring.collectors.questions import LIMITS, QUESTION_S, Questions, limits, questions
from monitoring.collectors.tasks import TasksCollector
from monitoring.history import figures, writing
from monitoring.history.figures import Figure
from monitoring.history.lease import LOOK_S, Lease, Turn
from monitoring.totals import Reading, Totals

TOPIC: Final = "database"
_AWAY_S: Final = 5.0
_ADD_UP_S: Final = 60.0
_TEND_S: Final = 3_600.0
# A slot has begun by then, whatever the clocks' resolution.
_AFTER_S: Final = 0.1
# Those who do not collect ask when the one who does has had its time, and not all at once.
_BEHIND_S: Final = (0.1, 0.6)

log = structlog.get_logger(__name__)

type MoreFigures = Callable[[], Iterable[Figure]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What one turn came to. `elected` None: Postgres could not be asked who collects."""

    elected: bool | None
    outcomes: tuple[Outcome[Any], ...] = ()
    written: int = 0


class Collector:
    """`more` are asked for figures that only those above know; one that is ill is left out."""

    def __init__(
        self,
        name: str,
        *,
        queue: str,
        more: Sequence[MoreFigures] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lease = Lease(name)
        self._queue = queue
        self._more = tuple(more)
        self._clock = clock
        self._postgres = PostgresCollector(clock=clock)
        self._pgbouncer = PgBouncerCollector(clock=clock)
        self._tasks = TasksCollector(clock=clock)
        self._writer = writing.Writer()
        self._totals = Totals()
        self._added_at = self._tended_at = float("-inf")
        self._held = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="collector", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Gives its place to another; waits a little for a turn that is under way."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)
        if self._held:
            look(SOURCE, self._give_up)

    def turn(self) -> Collected:
        """One look at everything, if this process is the one that collects."""
        with ExitStack() as stack:
            # As a look of its own: that no connection is made is the first thing to be told.
            opened = look(SOURCE, lambda: stack.enter_context(questions()))
            claim = look(SOURCE, lambda: self._claim(opened))
            if opened.sample is None or claim.failure:
                return self._blind(opened if opened.failure else claim)
            self._held = claim.sample is not None
            if claim.sample is None:
                return Collected(elected=False)
            on = opened.sample
            outcomes = (look(SOURCE, lambda: self._postgres.collect(on)), *self._others())
            _publish(outcomes)
            written = self._keep(on, claim.sample, outcomes) if claim.sample.new else 0
            return Collected(elected=True, outcomes=outcomes, written=written)

    def _claim(self, opened: Outcome[Questions]) -> Turn | None:
        return self._lease.claim(opened.sample) if opened.sample else None

    def _blind(self, failed: Outcome[Any]) -> Collected:
        """Postgres does not answer: that is what there is to say of it."""
        outcomes = (failed, *self._others())
        _publish(outcomes)
        return Collected(elected=None, outcomes=outcomes)

    def _others(self) -> Iterator[Outcome[Any]]:
        broker = settings.CELERY_BROKER_URL
        yield look(valkey.CACHE, lambda: valkey.collect(settings.REDIS_URL))
        if not broker.startswith("amqp"):
            yield look(valkey.BROKER, lambda: valkey.collect(broker))
        if url := settings.PGBOUNCER_ADMIN_URL:
            yield look(pgbouncer.SOURCE, lambda: self._pgbouncer.collect(url))
        yield look(processes.SOURCE, processes.collect)
        workers = snapshots.workers()
        yield look(celery.SOURCE, lambda: celery.collect(broker, self._queue, workers))

    def _keep(self, on: Questions, turn: Turn, outcomes: Sequence[Outcome[Any]]) -> int:
        found = [*_figures(outcomes), *self._fleet()]
        try:
            with on.transaction(writes=True) as cursor:
                if not self._lease.keep(cursor, turn):
                    return 0
                written = self._writer.write(cursor, turn.slot, found)
            self._tend(on, turn.slot)
        except psycopg.Error as exc:
            # The next slot is another chance; what is missing is shown as a gap.
            log.warning("history.not_written", error=type(exc).__name__)
            return 0
        return written

    def _tend(self, on: Questions, now: datetime) -> None:
        if self._clock() - self._tended_at >= _TEND_S:
            made, dropped = writing.tend(on, now)
            self._tended_at = self._clock()
            log.info("history.tended", made=made, dropped=dropped)
        if self._clock() - self._added_at >= _ADD_UP_S:
            writing.add_up(on, now)
            self._added_at = self._clock()

    def _fleet(self) -> Iterator[Figure]:
        workers = snapshots.workers()
        if workers is not None:
            yield from figures.of_workers(workers)
        asks: tuple[MoreFigures, ...] = (self._counted, *self._more)
        try:
            for ask in asks:
                # One that is ill leaves a gap in its own figures.
                yield from look("fleet", lambda ask=ask: _within_limits(ask)).sample or ()  # type: ignore[misc]
        finally:
            # Given back: ten seconds are long for one of a small pool.
            connections.close_all()

    def _counted(self) -> Iterable[Figure]:
        reading = self._totals.read()
        self._tell_of_tasks(reading)
        return figures.of_totals(reading)

    def _tell_of_tasks(self, reading: Reading) -> None:
        found = look(tasks.SOURCE, lambda: self._tasks.collect(reading, canary.truth()))
        if found.sample is not None:
            told.publish(Outcome(source=tasks.SOURCE, took_s=found.took_s, sample=found.sample))

    def _give_up(self) -> None:
        with questions() as on:
            self._lease.give_up(on)

    def _run(self) -> None:
        # Those who start together do not ask together.
        wait_s = random.uniform(0, 1)  # noqa: S311 - no secret
        while not self._stopping.wait(wait_s):
            wait_s = _AWAY_S
            try:
                elected = self.turn().elected
                if elected is not None:
                    wait_s = self._to_the_next(elected=elected)
            except Exception:
                # A mistake of ours in one turn must not end all that come.
                log.exception("collect.failed")

    def _to_the_next(self, *, elected: bool) -> float:
        if elected:
            return LOOK_S - time.time() % LOOK_S + _AFTER_S
        return self._lease.left_s + random.uniform(*_BEHIND_S)  # noqa: S311 - no secret


def _within_limits(ask: MoreFigures) -> tuple[Figure, ...]:
    """By Django's connection of this thread: a table that somebody locks is a gap, and the next
    turn comes in time.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LIMITS, limits(QUESTION_S))
        return tuple(ask())


def _publish(outcomes: Iterable[Outcome[msgspec.Struct]]) -> None:
    for outcome in outcomes:
        told.publish(outcome)
    events.publish(TOPIC)


def _figures(outcomes: Iterable[Outcome[Any]]) -> Iterator[Figure]:
    for outcome in outcomes:
        yield figures.up(outcome.source, answered=outcome.sample is not None)
        if outcome.sample is None:
            continue
        if outcome.source == SOURCE:
            yield from figures.of_postgres(outcome.sample)
        elif outcome.source == processes.SOURCE:
            yield from figures.of_processes(outcome.sample)
        elif outcome.source == celery.SOURCE:
            yield from figures.of_celery(outcome.sample)
        elif outcome.source == pgbouncer.SOURCE:
            yield from figures.of_pgbouncer(outcome.sample)
        else:
            yield from figures.of_valkey(outcome.source, outcome.sample)
