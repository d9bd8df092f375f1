"""Tells Valkey each second what this process has counted, and Postgres when it ends.

In a thread of its own, started after any fork: nothing that works ever waits for it.
"""

import os
import threading
import time
from collections.abc import Callable

import msgspec
import redis
import structlog
from django.db import connection
from prometheus_client import CollectorRegistry

from monitoring import arms, canary, clocks, incarnations, processes
from monitoring.arm_counts import ArmCounts
from monitoring.instruments import REGISTRY
from monitoring.probes import PROBES, Probes, ProcessProbe
from monitoring.processes import ProcessSnapshot
from monitoring.samples import Sample, less, read

_EVERY_S = 1.0
_HALF_S = _EVERY_S / 2
# Then it goes on under another name: what it told last may have been added up for good since.
_RENEW_AFTER_S = 3_600.0

log = structlog.get_logger(__name__)


def _boot_clock() -> float:
    """Monotonic, and goes on while the machine sleeps: the others' clocks do too."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Publisher:
    """The word of one process of a kind: worker, web or beat; and what it did by its flags, where
    it `counts` that.
    """

    def __init__(
        self,
        kind: str,
        *,
        registry: CollectorRegistry = REGISTRY,
        probes: Probes = PROBES,
        counts: ArmCounts | None = None,
        clock: Callable[[], float] = _boot_clock,
    ) -> None:
        self._kind = kind
        self._counts = counts
        self._registry = registry
        self._probes = probes
        self._clock = clock
        self._process = ProcessProbe(kind)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._before: tuple[Sample, ...] = ()
        self._last: ProcessSnapshot | None = None
        self._told_at = clock()
        self._incarnation = ""
        self._sequence = 0
        self._begin()

    def start(self) -> None:
        self._process.pauses.begin()
        self._thread.start()

    def stop(self) -> None:
        """The last word, to Postgres; where it is away, to Valkey, and a sweep carries it over."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)
        self._process.pauses.end()
        if self._counts is not None:
            arms.retire(self._counts.process)
        with self._lock:
            last = self._snapshot(final=True)
        try:
            incarnations.fold([last])
        except incarnations.AWAY as exc:
            log.warning("counters.not_folded", error=type(exc).__name__)
            self._leave(last)
        else:
            self._withdraw(last.incarnation)
        finally:
            connection.close()

    def tell(self) -> None:
        """One snapshot. Raises redis.RedisError when the cache server is gone."""
        with self._lock:
            if self._clock() - self._told_at > _RENEW_AFTER_S:
                self._renew()
            clock = clocks.read()
            snapshot = msgspec.structs.replace(self._snapshot(), clock=clock)
            processes.publish(snapshot)
            self._last = snapshot
            self._told_at = self._clock()
        if self._counts is not None:
            arms.publish(self._counts.told())

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.tell()
            except redis.RedisError:
                pass  # readers see its silence, and the next word holds all that this one would
            except Exception:
                # The fleet would believe that this process is gone.
                log.exception("publish.failed")
            # Between two words, as what is counted is.
            if not self._stopping.wait(_HALF_S):
                canary.sing()
            self._stopping.wait(_HALF_S)

    def _begin(self) -> None:
        self._incarnation = processes.incarnation(os.getpid(), time.time())
        self._sequence = 0
        self._told_at = self._clock()
        self._last = None

    def _renew(self) -> None:
        """Ends what was told under the old name, and counts from there under a new one."""
        if self._last is not None:
            self._sequence += 1
            sequence = self._sequence
            last = ProcessSnapshot(
                incarnation=self._incarnation, kind=self._kind, sequence=sequence,
                counters=self._last.counters, final=True,
            )  # fmt: skip
            processes.publish(last)
            self._before = self._counted_until(self._last.counters)
        self._begin()

    def _counted_until(self, told: tuple[Sample, ...]) -> tuple[Sample, ...]:
        """What the registry stood at when `told` was read from it."""
        return less(told, [Sample(s.name, s.labels, -s.value) for s in self._before])

    def _snapshot(self, *, final: bool = False) -> ProcessSnapshot:
        self._sequence += 1
        counted = (*read(self._registry), *self._process.counters())
        return ProcessSnapshot(
            incarnation=self._incarnation,
            kind=self._kind,
            sequence=self._sequence,
            counters=less(counted, self._before) if self._before else counted,
            gauges=() if final else (*self._process(), *self._probes.read()),
            final=final,
        )

    def _leave(self, last: ProcessSnapshot) -> None:
        try:
            processes.publish(last)
        except redis.RedisError:
            log.warning("counters.last_second_lost", process=last.incarnation)

    def _withdraw(self, name: str) -> None:
        try:
            processes.forget([name])
        except redis.RedisError:
            return  # Postgres has it, as the newer word
