"""What became of Celery's tasks lately and how long wake-ups waited, by what processes counted; and
what share of known events these counters saw.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from monitoring.collectors.statements import Window
from monitoring.samples import Sample
from monitoring.totals import Reading

SOURCE: Final = "tasks"
# Told by a process, not yet by its next snapshot; at both ends of the window.
_ON_THE_WAY: Final = 4
# Known events below which nothing is said of a share.
_LEAST: Final = 20

type _Counts = Mapping[str, float]


class TasksSample(msgspec.Struct, kw_only=True, frozen=True):
    """Differences over `window_s`. Waits are None where no wake-up was heard; the p95 is the bound
    of the bucket it lies in, None too where it is beyond the last. `again`: delivered once more,
    because whoever had it was lost. `seen` None: too few events were made up to say.
    """

    window_s: float
    heard: int
    wait_mean_s: float | None
    wait_p95_s: float | None
    done: int
    retried: int
    failed: int
    again: int
    canaries: int
    seen: float | None

    @property
    def ended(self) -> int:
        return self.done + self.failed

    @property
    def wait_mean_ms(self) -> float | None:
        return None if self.wait_mean_s is None else self.wait_mean_s * 1_000

    @property
    def wait_p95_ms(self) -> float | None:
        return None if self.wait_p95_s is None else self.wait_p95_s * 1_000


class TasksCollector:
    """Remembers what was counted before. For one thread."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._window: Window[_Counts] = Window()

    def collect(self, reading: Reading, canaries: int) -> TasksSample | None:
        """`canaries`: as many as there truly were. None: nothing to compare with yet."""
        if reading.counters is None:
            return None
        now = self._clock()
        counts = _counts(reading.counters) | {"truth": float(canaries)}
        base = self._window.base(now, counts)
        if base is None or base[0] <= 0:
            return None
        window_s, before = base
        if any(counts.get(name, 0.0) < value for name, value in before.items()):
            # Somebody's counters began again: what was before is no base any more.
            self._window = Window()
            self._window.base(now, counts)
            return None
        grown = {name: value - before.get(name, 0.0) for name, value in counts.items()}
        return _sample(grown, window_s, live=len(reading.live or ()))


def _sample(grown: _Counts, window_s: float, *, live: int) -> TasksSample:
    heard = grown.get("heard", 0.0)
    return TasksSample(
        window_s=window_s,
        heard=int(heard),
        wait_mean_s=grown.get("waited", 0.0) / heard if heard else None,
        wait_p95_s=_p95(grown, heard),
        done=int(grown.get("task ok", 0.0)),
        retried=int(grown.get("task retried", 0.0)),
        failed=int(grown.get("task failed", 0.0)),
        again=int(grown.get("task again", 0.0)),
        canaries=int(grown["truth"]),
        seen=_share(grown.get("canaries", 0.0), grown["truth"], on_the_way=_ON_THE_WAY * live),
    )


def _share(counted: float, truth: float, *, on_the_way: int) -> float | None:
    """Above 1: something is counted twice."""
    if truth < max(_LEAST, on_the_way):
        return None
    return 1.0 if abs(truth - counted) <= on_the_way else counted / truth


def _p95(grown: _Counts, heard: float) -> float | None:
    bounds = sorted(
        (float(name.removeprefix("le ")), value)
        for name, value in grown.items()
        if name.startswith("le ")
    )
    if not heard:
        return None
    for bound, value in bounds:
        if value >= 0.95 * heard:
            return bound if bound != float("inf") else None
    return None


def _counts(samples: tuple[Sample, ...]) -> dict[str, float]:
    found: dict[str, float] = {}
    for sample in samples:
        if name := _name(sample):
            found[name] = found.get(name, 0.0) + sample.value
    return found


def _name(sample: Sample) -> str:
    """Under what it is added up; "" where it is none of ours."""
    match sample.name.removeprefix("switchyard_"):
        case "queue_wait_seconds_count":
            return "heard"
        case "queue_wait_seconds_sum":
            return "waited"
        case "queue_wait_seconds_bucket":
            return f"le {sample.labels.get('le', '')}"
        case "tasks_total":
            return f"task {sample.labels.get('outcome', '')}"
        case "canaries_total":
            return "canaries"
    return ""
