"""What was done, counted so that those that have a change can be held against those that have not.

A unit is an item in a worker, a request in a web process.
"""

import os
import socket
from collections.abc import Mapping
from operator import add, sub
from typing import Final

import msgspec

# Each a tenth above the one before, from 20 µs (an item of L1) to more than a minute: a p95 that
# moves by 30 % is three bounds away.
_RATIO, _FIRST_S, _LAST_S = 1.1, 20e-6, 64.0


def _bounds() -> tuple[float, ...]:
    found = [_FIRST_S]
    while found[-1] < _LAST_S:
        found.append(found[-1] * _RATIO)
    return tuple(found)


BOUNDS_S: Final = _bounds()
NO_UNITS: Final = (0,) * (len(BOUNDS_S) + 1)


class Work(msgspec.Struct, kw_only=True, frozen=True):
    """`buckets` counts units by the first bound of `BOUNDS_S` that they did not exceed; the last
    one those beyond all. None for a figure: there was no unit.
    """

    units: int = 0
    failed: int = 0
    seconds: float = 0.0
    buckets: tuple[int, ...] = NO_UNITS

    def __add__(self, other: "Work") -> "Work":
        return Work(
            units=self.units + other.units,
            failed=self.failed + other.failed,
            seconds=self.seconds + other.seconds,
            buckets=tuple(map(add, self.buckets, other.buckets)),
        )

    def since(self, before: "Work") -> "Work | None":
        """What was done after `before`; None where some count fell, so that it began again."""
        buckets = tuple(map(sub, self.buckets, before.buckets))
        units, failed = self.units - before.units, self.failed - before.failed
        if units < 0 or failed < 0 or min(buckets) < 0:
            return None
        # Rounding: of a sum of hours and the same with nothing added.
        seconds = max(0.0, self.seconds - before.seconds)
        return Work(units=units, failed=failed, seconds=seconds, buckets=buckets)

    @property
    def error_share(self) -> float | None:
        return self.failed / self.units if self.units else None

    @property
    def mean_s(self) -> float | None:
        return self.seconds / self.units if self.units else None

    @property
    def p95_s(self) -> float | None:
        return self.quantile_s(0.95)

    def quantile_s(self, share: float) -> float | None:
        """Within its bucket it is as far as its rank is: right to a few percent."""
        rank = share * sum(self.buckets)
        for place, count in enumerate(self.buckets):
            if count and rank <= count:
                upper = BOUNDS_S[min(place, len(BOUNDS_S) - 1)]
                return float(upper * _RATIO ** (rank / count - 1))
            rank -= count
        return None


class Arms(msgspec.Struct, kw_only=True, frozen=True):
    """One process: `process` is host:pid, `kind` worker or web. `revision` is that of the flags
    that it decides by now; 0: none could be read. `holds` is the variant of each flag now, without
    those that a stage splits among units; `flags` what was done, by key and variant.
    """

    process: str
    kind: str
    # By the wall clock of the process (epoch seconds), and for how long it has been counting.
    started_at: float
    up_s: float = 0.0
    revision: int = 0
    holds: Mapping[str, str] = {}
    flags: Mapping[str, Mapping[str, Work]] = {}


def this_process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
