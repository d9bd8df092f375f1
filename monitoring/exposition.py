"""The fleet's figures as Prometheus reads them, in its text format or OpenMetrics."""

import platform
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final

import django
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from monitoring import gauges
from monitoring.incarnations import LOST
from monitoring.instruments import COUNTED_ELSEWHERE, GAUGES, REGISTRY, WORST
from monitoring.lent import of_pools
from monitoring.samples import Sample, Series, total
from monitoring.snapshots import WorkerSnapshot
from monitoring.totals import Reading

_HISTOGRAM: Final = ("_bucket", "_count", "_sum")
VERSION: Final = "0.1.0"
PROCESSES: Final = ("worker", "web", "beat")


def render(
    reading: Reading,
    workers: list[WorkerSnapshot] | None,
    *,
    accept: str = "",
    more: Iterable[Metric] = (),
) -> tuple[bytes, str]:
    """(text, content type) for what a scraper accepts. `workers` None: nobody could be asked.
    `more`: families of other names.
    """
    try:
        encode, content_type = choose_encoder(accept)
    except (TypeError, ValueError, IndexError):  # a version that is none
        encode, content_type = choose_encoder("")
    found = [*_counted(reading), *_measured(reading, workers), *more]
    return encode(_Collected(found)), content_type


class _Collected(Collector):
    """What prometheus_client asks for its metrics: these, once."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _counted(reading: Reading) -> Iterator[Metric]:
    if reading.counters is None:
        return
    by_family: dict[str, list[Sample]] = defaultdict(list)
    names = {sample.name for sample in reading.counters}
    for sample in reading.counters:
        if family := _family_of(sample.name, names):
            by_family[family].append(sample)
    for name, (text, kind) in _known().items():
        yield _metric(name, text, kind, by_family.pop(name, []))
    for name, samples in sorted(by_family.items()):
        # Counted by a newer release than this process is of.
        kind = "counter" if f"{name}_total" in names else "histogram"
        yield _metric(name, "Not known to this release.", kind, samples)


@cache
def _known() -> dict[str, tuple[str, str]]:
    ours = {family.name: (family.documentation, family.type) for family in REGISTRY.collect()}
    return ours | {name: (text, "counter") for name, text in COUNTED_ELSEWHERE.items()}


def _family_of(sample: str, names: set[str]) -> str:
    """The metric that a sample belongs to; empty for what is neither counter nor histogram."""
    if sample.endswith("_total"):
        return sample.removesuffix("_total")
    for suffix in _HISTOGRAM:
        family = sample.removesuffix(suffix)
        if family != sample and f"{family}_bucket" in names:
            return family
    return ""


def _measured(reading: Reading, workers: list[WorkerSnapshot] | None) -> Iterator[Metric]:
    found = [
        *(gauges.of_workers(workers) if workers is not None else ()),
        *(gauge for process in reading.live or () for gauge in process.gauges),
        *of_pools(reading.live or ()),
        *_lost(reading),
        *(
            Sample("switchyard_telemetry_up", {"source": source}, up)
            for source, up in reading.sources.items()
        ),
        Sample("switchyard_build_info", _build(), 1),
    ]
    by_name: dict[str, list[Sample]] = defaultdict(list)
    sums = total([gauge] for gauge in found if gauge.name not in WORST)
    for sample in (*sums, *_worst(gauge for gauge in found if gauge.name in WORST)):
        by_name[sample.name].append(sample)
    for name, samples in by_name.items():
        yield _metric(name, GAUGES.get(name, "Not known to this release."), "gauge", samples)


def _worst(gauges: Iterable[Sample]) -> Iterable[Sample]:
    found: dict[Series, Sample] = {}
    for gauge in gauges:
        known = found.get(gauge.series)
        if known is None or gauge.value > known.value:
            found[gauge.series] = gauge
    return found.values()


def _lost(reading: Reading) -> Iterator[Sample]:
    if reading.lost is not None:
        for kind, count in (dict.fromkeys(PROCESSES, 0) | reading.lost).items():
            yield Sample(LOST, {"process": kind}, count)


def _build() -> dict[str, str]:
    return {
        "version": VERSION,
        "python": platform.python_version(),
        "django": django.get_version(),
    }


def _metric(name: str, text: str, kind: str, samples: Iterable[Sample]) -> Metric:
    metric = Metric(name, text, kind)
    for sample in sorted(samples, key=_place):
        metric.add_sample(sample.name, sample.labels, sample.value)
    return metric


def _place(sample: Sample) -> tuple[Any, ...]:
    """A histogram's buckets by bound, then its count and sum, label set by label set."""
    labels = {name: value for name, value in sample.labels.items() if name != "le"}
    return tuple(sorted(labels.items())), sample.name, float(sample.labels.get("le", 0))
