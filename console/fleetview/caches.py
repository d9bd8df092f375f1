"""Both tiers of the cache over the fleet: hits by level and kind, and by size."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from console.controls.orders import Order, desired
from console.fleetview.fleet import Fleet, look
from console.fleetview.rows import Row, oldest, summed
from monitoring.snapshots import CacheReport
from validation.models import ControlKind


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerCache(Row[CacheReport]):
    """The cache of one worker process, by its own report of `age_s` ago."""

    acknowledged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KindCounts:
    """Look-ups of one kind since their processes started, by what answered."""

    kind: str
    l1: int
    l2: int
    stale: int
    negative: int
    miss: int

    @property
    def total(self) -> int:
        return self.l1 + self.l2 + self.stale + self.negative + self.miss

    @property
    def hit_rate(self) -> float | None:
        """Share answered without a node; None: nothing was looked up."""
        return 1 - self.miss / self.total if self.total else None

    def share(self, answered_by: str) -> float | None:
        """Share that "l1", "l2", "stale" or "negative" answered."""
        return getattr(self, answered_by) / self.total if self.total else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetCache:
    """Sums over the workers that are up and report a cache; None where there is no such worker."""

    desired: Order
    # Of the `heard` workers (up or stale), how many obey what is desired.
    acknowledged: int
    heard: int
    workers: int
    rows: tuple[WorkerCache, ...]
    policies: tuple[str, ...]
    entries: int | None
    bytes: int | None
    max_entries: int | None
    max_bytes: int | None
    evicted: int | None
    expired: int | None
    kinds: tuple[KindCounts, ...]
    total: KindCounts | None
    # Workers that reach L2, that do not, and that never asked.
    l2_reachable: int | None
    l2_unreachable: int | None
    l2_not_asked: int | None
    codecs: dict[str, int]
    bytes_raw: int | None
    bytes_stored: int | None
    corrupt: int | None
    coalesced: int | None
    invalidated: int | None
    # [(entries in each worker's L1, share it would have answered)], weighted by look-ups.
    curve: tuple[tuple[int, float], ...]
    sampled: int | None
    age_s: float | None

    @property
    def compression(self) -> float | None:
        """Bytes before for each byte stored; None: nothing was stored."""
        if not self.bytes_raw or not self.bytes_stored:
            return None
        return self.bytes_raw / self.bytes_stored


def caches(fleet: Fleet | None = None) -> FleetCache:
    fleet = fleet or look()
    wanted = desired(ControlKind.L1, "")
    rows = [
        WorkerCache(
            worker=worker,
            report=worker.cache,
            acknowledged=(worker.acknowledged or 0) >= wanted.revision,
        )
        for worker in fleet.workers
        if worker.cache is not None
    ]
    now = [row for row in rows if row.is_current]
    reports = [row.report for row in now]
    kinds = _kinds(reports)
    return FleetCache(
        desired=wanted,
        acknowledged=fleet.acknowledged(wanted.revision),
        heard=fleet.heard,
        workers=len(now),
        rows=tuple(rows),
        policies=tuple(sorted({report.policy for report in reports})),
        **{field: summed(reports, field) for field in _SUMMED},
        **{field: _reach(reports, said) for field, said in _REACH.items()},
        kinds=kinds,
        total=_added("all", kinds) if reports else None,
        codecs=dict(sum((Counter(report.codecs) for report in reports), Counter())),
        curve=_curve(reports),
        age_s=oldest(now),
    )


_SUMMED = (
    *("entries", "bytes", "max_entries", "max_bytes", "evicted", "expired", "bytes_raw"),
    *("bytes_stored", "corrupt", "coalesced", "invalidated", "sampled"),
)
_REACH = {"l2_reachable": True, "l2_unreachable": False, "l2_not_asked": None}
_ANSWERS = ("l1", "l2", "stale", "negative", "miss")


def _reach(reports: Sequence[CacheReport], said: bool | None) -> int | None:
    return sum(report.l2_reachable is said for report in reports) if reports else None


def _kinds(reports: Sequence[CacheReport]) -> tuple[KindCounts, ...]:
    names = sorted({kind for report in reports for kind in report.kinds})
    found = []
    for name in names:
        told = [report.kinds.get(name, {}) for report in reports]
        counts = {answer: sum(one.get(answer, 0) for one in told) for answer in _ANSWERS}
        found.append(KindCounts(kind=name, **counts))
    return tuple(sorted(found, key=lambda kind: (-kind.total, kind.kind)))


def _added(name: str, kinds: Sequence[KindCounts]) -> KindCounts:
    sums = {answer: sum(getattr(kind, answer) for kind in kinds) for answer in _ANSWERS}
    return KindCounts(kind=name, **sums)


def _curve(reports: Sequence[CacheReport]) -> tuple[tuple[int, float], ...]:
    told = [report for report in reports if report.curve and report.sampled]
    weight = sum(report.sampled for report in told)
    sizes = sorted({size for report in told for size, _ in report.curve})
    return tuple(
        (size, sum(_share_at(report, size) * report.sampled for report in told) / weight)
        for size in sizes
    )


def _share_at(report: CacheReport, size: int) -> float:
    """A curve only rises: it holds from one of its points to the next."""
    return max((share for entries, share in report.curve if entries <= size), default=0.0)
