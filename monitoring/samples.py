"""Counters as processes tell them: plain samples, read from a registry and added up again.

Imports neither Django nor Celery.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec
from prometheus_client import CollectorRegistry

_BUCKET = "_bucket"

type Labels = tuple[tuple[str, str], ...]
type Series = tuple[str, Labels]


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """`[name, {label: value}, number]`; a histogram is its `_bucket`, `_sum` and `_count`."""

    name: str
    labels: dict[str, str]
    value: float

    def __post_init__(self) -> None:
        if self.name.endswith(_BUCKET):
            float(
                self.labels.get("le", "")
            )  # a bucket without a bound cannot be added to any other

    @property
    def series(self) -> Series:
        return _series(self.name, self.labels)


def read(registry: CollectorRegistry) -> tuple[Sample, ...]:
    """Everything that `registry` has counted since its process started."""
    return tuple(
        Sample(sample.name, dict(sample.labels), sample.value)
        for family in registry.collect()
        for sample in family.samples
        # Of one process; added up over many it would be nonsense.
        if not sample.name.endswith("_created")
    )


def less(samples: Iterable[Sample], before: Iterable[Sample]) -> tuple[Sample, ...]:
    """What was counted since `before`."""
    known = {sample.series: sample.value for sample in before}
    return tuple(
        Sample(sample.name, sample.labels, sample.value - known.get(sample.series, 0.0))
        for sample in samples
    )


def total(parts: Iterable[Iterable[Sample]]) -> tuple[Sample, ...]:
    """Each series added up over `parts`, of which some may be of an older or newer release."""
    sums: dict[Series, float] = defaultdict(float)
    buckets: dict[Series, list[dict[str, float]]] = defaultdict(list)
    for part in parts:
        own: dict[Series, dict[str, float]] = defaultdict(dict)
        for sample in part:
            if sample.name.endswith(_BUCKET):
                rest = {name: value for name, value in sample.labels.items() if name != "le"}
                own[_series(sample.name, rest)][sample.labels["le"]] = sample.value
            else:
                sums[sample.series] += sample.value
        for series, counts in own.items():
            buckets[series].append(counts)
    plain = [Sample(name, dict(labels), value) for (name, labels), value in sums.items()]
    stacked = [
        Sample(name, {**dict(labels), "le": bound}, value)
        for (name, labels), counts in buckets.items()
        for bound, value in _stack(counts).items()
    ]
    return tuple(plain + stacked)


def _series(name: str, labels: dict[str, str]) -> Series:
    return name, tuple(sorted(labels.items()))


def _stack(histograms: list[dict[str, float]]) -> Mapping[str, float]:
    """Cumulative buckets added up. One that lacks a bound has at it what the bound below it has:
    never more than the truth, and never less than at a lower bound.
    """
    bounds = sorted({bound for counts in histograms for bound in counts}, key=float)
    sums = dict.fromkeys(bounds, 0.0)
    for counts in histograms:
        if len(counts) == len(bounds):
            for bound, value in counts.items():
                sums[bound] += value
            continue
        known = sorted(counts, key=float)
        limits = [float(bound) for bound in known]
        for bound in bounds:
            place = bisect_right(limits, float(bound))
            sums[bound] += counts[known[place - 1]] if place else 0.0
    return sums
