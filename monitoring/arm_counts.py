"""Counts what one process does by what it has decided; `arms` tells it.

A piece of work (a chunk, a request) is counted once under all that was decided of it. What that
comes to for each flag is reckoned when it is told, away from the work.
"""

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from operator import add

from monitoring.arm_work import BOUNDS_S, NO_UNITS, Arms, Work, this_process

type Decided = tuple[tuple[str, str], ...]
"""Key and variant of each flag that held for a piece of work."""


class _Sum:
    __slots__ = ("buckets", "failed", "seconds", "units")

    def __init__(self) -> None:
        self.units = self.failed = 0
        self.seconds = 0.0
        self.buckets = list(NO_UNITS)

    def count(self, seconds: Sequence[float], failed: int) -> None:
        self.units += len(seconds)
        self.failed += failed
        self.seconds += sum(seconds)
        buckets = self.buckets
        for took in seconds:
            buckets[bisect_left(BOUNDS_S, took)] += 1

    def take(self, other: "_Sum") -> None:
        self.units += other.units
        self.failed += other.failed
        self.seconds += other.seconds
        self.buckets = list(map(add, self.buckets, other.buckets))

    def work(self) -> Work:
        return Work(
            units=self.units,
            failed=self.failed,
            seconds=self.seconds,
            buckets=tuple(self.buckets),
        )


class ArmCounts:
    """Of one process of a `kind`, from now on. Make it after the fork. Any thread may call it."""

    def __init__(
        self,
        kind: str,
        *,
        process: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._kind = kind
        self.process = process or this_process()
        self._clock = clock
        self._began, self._started_at = clock(), wall()
        self._lock = threading.Lock()
        self._fresh: dict[Decided, _Sum] = {}
        self._sums: dict[str, dict[str, _Sum]] = {}
        self._holds: Mapping[str, str] = {}
        self._revision = 0

    def decide(self, holds: Mapping[str, str], revision: int) -> None:
        """What holds from now on: told where nothing was done under it, too."""
        self._holds, self._revision = holds, revision

    def count(self, decided: Decided, seconds: Sequence[float], *, failed: int = 0) -> None:
        """Units that took so long each, `failed` of them in vain."""
        with self._lock:
            found = self._fresh.get(decided)
            if found is None:
                found = self._fresh[decided] = _Sum()
            found.count(seconds, failed)

    def told(self) -> Arms:
        holds, revision = self._holds, self._revision
        with self._lock:
            fresh, self._fresh = self._fresh, {}
            for decided, found in fresh.items():
                for key, variant in decided:
                    self._sum(key, variant).take(found)
            for key, variant in holds.items():
                self._sum(key, variant)
            flags = {
                key: {variant: found.work() for variant, found in variants.items()}
                for key, variants in self._sums.items()
            }
        return Arms(
            process=self.process,
            kind=self._kind,
            started_at=self._started_at,
            up_s=self._clock() - self._began,
            revision=revision,
            holds=holds,
            flags=flags,
        )

    def _sum(self, key: str, variant: str) -> _Sum:
        """Caller holds the lock."""
        return self._sums.setdefault(key, {}).setdefault(variant, _Sum())
