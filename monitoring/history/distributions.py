"""Which histograms are kept, and at which of their bounds: what percentiles of a window are of.

A family's figures are counters: `<family>.timed` of all, `<family>.seconds` their sum, and
`<family>.le.<bound>` those that took so long at most. Bounds are those that a source asks about,
with one on either side; a percentile is known no finer than they are.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from monitoring.samples import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """`bounds` in seconds, rising, each one of the histogram's."""

    histogram: str
    bounds: tuple[float, ...] = ()
    holds: Callable[[Mapping[str, str]], bool] = lambda _: True


def _of_the_api(labels: Mapping[str, str]) -> bool:
    return labels.get("route", "").startswith("api-v1:")


def _of_a_database(labels: Mapping[str, str]) -> bool:
    return labels.get("pool", "").startswith("db.")


_ANSWERS: Final = (0.01, 0.025, 0.03, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2, 0.25, 0.5, 1.0)
FAMILIES: Final[Mapping[str, Family]] = {
    "http": Family(histogram="http_request_duration_seconds", bounds=_ANSWERS),
    "api": Family(
        histogram="http_request_duration_seconds",
        bounds=(0.05, 0.1, 0.15, 0.2, 0.25, 0.5),
        holds=_of_the_api,
    ),
    "db": Family(
        histogram="db_query_duration_seconds", bounds=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25)
    ),
    "db_wait": Family(
        histogram="pool_wait_seconds", bounds=(0.1, 0.5, 1.0, 5.0), holds=_of_a_database
    ),
    "items": Family(histogram="validation_duration_seconds"),
}


def bound_name(family: str, bound: float) -> str:
    return f"{family}.le.{bound:g}"


def names(family: str) -> tuple[str, ...]:
    """All figures of one."""
    bounds = (bound_name(family, bound) for bound in FAMILIES[family].bounds)
    return (f"{family}.timed", f"{family}.seconds", *bounds)


NAMES: Final = tuple(name for family in FAMILIES for name in names(family))


def names_of(sample: Sample) -> Iterator[str]:
    """The figures that a counter of the fleet belongs to."""
    metric, _, part = sample.name.removeprefix("switchyard_").rpartition("_")
    for name, family in _BY_HISTOGRAM.get(metric, ()):
        if not family.holds(sample.labels):
            continue
        if part == "count":
            yield f"{name}.timed"
        elif part == "sum":
            yield f"{name}.seconds"
        elif part == "bucket" and (bound := float(sample.labels["le"])) in family.bounds:
            yield bound_name(name, bound)


_BY_HISTOGRAM: Final = {
    histogram: tuple(
        (name, family) for name, family in FAMILIES.items() if family.histogram == histogram
    )
    for histogram in {family.histogram for family in FAMILIES.values()}
}
