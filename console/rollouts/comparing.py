"""Treated against untreated at the same time: how far they differ, and how far at least.

Units of one chunk and one batch go well or badly together, so units are not counted as if each
told something of its own: the spread is that between places and turns (a ratio's, by its
residuals), never less than what units alone would have. What the whole stage showed of that spread
lends a window its certainty.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final, Literal

from console.rollouts.records import Slice, Sums, Total
from monitoring.arms import BOUNDS_S, Work

type Metric = Literal["error_share", "mean_s", "p95_s"]
type Verdict = Literal["good", "bad", "unknown"]

METRICS: Final[tuple[Metric, ...]] = ("error_share", "mean_s", "p95_s")
# How sure it is to be, in standard errors, that what is allowed is passed; and that there is a
# difference at all, which of two windows without any both show in one pair of four million.
SURE: Final = 2.0
SURE_OF_ANY: Final = 3.3
# Of failures, which are few and come by chance in lumps.
SURE_OF_FAILURES: Final = 4.0
# Of the whole of a stage, which is looked at again and again.
SURE_OF_STAGE: Final = 4.0
# Where the noise is more than this, a guard that is not passed is not said to hold: of a ratio, as
# uncertain as few cells leave it; of failures as a share, where less is not allowed.
NOISIEST: Final = 0.08
NOISIEST_SHARE: Final = 0.01
# Of a process against another one that does the same: of hosts, heaps and what they remember.
BETWEEN_PROCESSES: Final = 0.15
BETWEEN_TWO: Final = BETWEEN_PROCESSES * math.sqrt(2)
_FEWEST_CELLS: Final = 3
_P95: Final = 0.95
# From ten times as much on, percents say less than a factor.
_ANY_NUMBER: Final = 9
# So many standard errors above what would do, 19 of 20 windows are.
_MOSTLY: Final = 1.645
# Turns of the whole stage after which its spread is known as well as it needs to be.
_LENT: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """`most`: treated may be above untreated by so much: a part of it; of error_share a share."""

    metric: Metric
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Cells that tell something of their own each, and all of them together."""

    cells: Sequence[Sums]
    treated: Work
    untreated: Work
    # Noise of the arms' processes, where units are processes; else 0.
    between: float = 0.0

    @classmethod
    def of(cls, slices: Sequence[Slice], *, by_process: bool) -> "Sample":
        treated = sum((one.treated for one in slices), Work())
        untreated = sum((one.untreated for one in slices), Work())
        cells = [cell for one in slices for cell in one.places.values()]
        between = 0.0
        if by_process:
            named = [pair for one in slices for pair in one.places.items()]
            between = _between(
                len({name for name, cell in named if cell.treated_units}),
                len({name for name, cell in named if cell.untreated_units}),
            )
        return cls(cells=cells, treated=treated, untreated=untreated, between=between)

    @classmethod
    def of_stage(cls, total: Total, *, between: float) -> "Sample":
        return cls(
            cells=total.blocks, treated=total.treated, untreated=total.untreated, between=between
        )


def _between(treated: int, untreated: int) -> float:
    if not treated or not untreated:
        return 0.0
    return BETWEEN_PROCESSES * math.sqrt(1 / treated + 1 / untreated)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How much more cells differ than their units would, and how many cells say so less one."""

    effect: float = 1.0
    degrees: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One guard over one sample; see `seen.GuardSeen`. `leans`: it is above what is allowed, sure
    or not.
    """

    metric: Metric
    most: float
    treated: float | None
    untreated: float | None
    treated_units: int
    untreated_units: int
    ratio: float | None = None
    least_ratio: float | None = None
    held: bool | None = None
    # What a window like this finds in 19 of 20; None: not known.
    finds: float | None = None

    @property
    def leans(self) -> bool:
        return self.ratio is not None and self.ratio > self.most

    @property
    def words(self) -> str:
        """`mean_s 13 ms against 10 ms: +30 %, at least +21 %; +10 % is allowed (…)`."""
        if self.ratio is None or self.treated is None or self.untreated is None:
            few = min(self.treated_units, self.untreated_units)
            return f"{self.metric}: not known yet, by {few} units in the smaller arm"
        shown = _share if self.metric == "error_share" else _span
        change = _points if self.metric == "error_share" else _percent
        told = f"{self.metric} {shown(self.treated)} against {shown(self.untreated)}"
        least = "" if self.least_ratio is None else f", at least {change(self.least_ratio)}"
        units = f"{self.treated_units} and {self.untreated_units} units"
        return f"{told}: {change(self.ratio)}{least}; {change(self.most)} is allowed ({units})"

    def as_json(self) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in self.__slots__}
        return told | {"words": self.words}


def verdict(found: Sequence[Compared]) -> Verdict:
    if any(one.held is False for one in found):
        return "bad"
    return "good" if all(one.held for one in found) else "unknown"


def compare(
    guards: Sequence[Guard],
    sample: Sample,
    *,
    least_units: int,
    sure: float = SURE,
    lent: Spread | None = None,
) -> tuple[Compared, ...]:
    """Each guard. `lent`: what the whole stage showed of the spread."""
    lent = lent or Spread()
    return tuple(_compared(guard, sample, least_units, sure, lent) for guard in guards)


def spread(sample: Sample) -> Spread:
    """Of the seconds."""
    cells = [cell for cell in sample.cells if cell.treated_units or cell.untreated_units]
    own = _own_variance(sample)
    if len(cells) < _FEWEST_CELLS or not own:
        return Spread()
    effect = max(1.0, _variance(_residuals_of_seconds(cells), len(cells)) / own)
    return Spread(effect=effect, degrees=min(_LENT, len(cells) - 1))


def _compared(
    guard: Guard, sample: Sample, least_units: int, sure: float, lent: Spread
) -> Compared:
    treated, untreated = sample.treated, sample.untreated
    told = Compared(
        metric=guard.metric,
        most=guard.most,
        treated=_figure(treated, guard.metric),
        untreated=_figure(untreated, guard.metric),
        treated_units=treated.units,
        untreated_units=untreated.units,
    )
    cells = [cell for cell in sample.cells if cell.treated_units or cell.untreated_units]
    degrees = len(cells) - 1 + lent.degrees
    if min(treated.units, untreated.units) < least_units or degrees < _FEWEST_CELLS - 1:
        return told
    if told.treated is None or told.untreated is None:
        return told
    found = _OF[guard.metric](sample, cells, lent)
    any_sure = SURE_OF_FAILURES if guard.metric == "error_share" else SURE_OF_ANY
    least = found.least(_quantile(sure, degrees))
    breached = least > guard.most and found.least(_quantile(max(sure, any_sure), degrees)) > 0
    noisiest = max(guard.most, NOISIEST_SHARE) if guard.metric == "error_share" else NOISIEST
    is_blind = found.noise * _quantile(sure, degrees) / sure > noisiest
    held = None if not breached and is_blind else not breached
    finds = found.finds(guard.most, _quantile(sure, degrees), _quantile(any_sure, degrees))
    return replace(told, ratio=found.ratio, least_ratio=least, held=held, finds=finds)


def _figure(work: Work, metric: Metric) -> float | None:
    found: float | None = getattr(work, metric)
    # Nothing is faster than no time: a ratio to it says nothing.
    return found if found or metric == "error_share" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """By how much treated are above; at least, so many standard errors off; and how noisy it is,
    but for what differs between processes.
    """

    ratio: float
    least: Callable[[float], float]
    noise: float
    # Of the most that is allowed, and how sure it is to be of that and of any difference.
    finds: Callable[[float, float, float], float | None] = lambda _most, _sure, _any: None


def _of_mean(sample: Sample, cells: Sequence[Sums], lent: Spread) -> _Found:
    noise = math.sqrt(_variance_of_ratio(sample, cells, lent))
    both = math.hypot(noise, sample.between)
    ratio = (sample.treated.mean_s or 0.0) / (sample.untreated.mean_s or 1.0)

    def finds(most: float, sure: float, any_sure: float) -> float:
        passed = max(math.log1p(most) + sure * both, any_sure * both)
        return math.expm1(passed + _MOSTLY * noise)

    return _Found(
        ratio=ratio - 1,
        least=lambda sure: ratio * math.exp(-sure * both) - 1,
        noise=noise,
        finds=finds,
    )


def _of_p95(sample: Sample, cells: Sequence[Sums], lent: Spread) -> _Found:
    """The lower end of treated's p95 by its rank, as Woodruff has it."""
    treated, untreated = sample.treated, sample.untreated
    own, variance = _own_variance(sample), _variance_of_ratio(sample, cells, lent)
    effect = max(1.0, variance / own) if own else 1.0
    rank = math.sqrt(effect * _P95 * (1 - _P95) * (1 / treated.units + 1 / untreated.units))
    base = untreated.p95_s or 1.0

    def least(sure: float) -> float:
        low = treated.quantile_s(max(0.0, _P95 - sure * rank)) or 0.0
        return low / base * math.exp(-sure * sample.between) - 1

    return _Found(ratio=(treated.p95_s or 0.0) / base - 1, least=least, noise=math.sqrt(variance))


def _of_errors(sample: Sample, cells: Sequence[Sums], lent: Spread) -> _Found:
    treated, untreated = sample.treated, sample.untreated
    share, share_else = treated.failed / treated.units, untreated.failed / untreated.units
    residuals = [
        (cell.treated_failed - share * cell.treated_units) / treated.units
        - (cell.untreated_failed - share_else * cell.untreated_units) / untreated.units
        for cell in cells
    ]
    all_units = treated.units + untreated.units
    # As if one more of two had failed: of none that failed nobody knows that none ever will.
    failing = (treated.failed + untreated.failed + 1) / (all_units + 2)
    own = failing * (1 - failing) * (1 / treated.units + 1 / untreated.units)
    noise = math.sqrt(max(_variance(residuals, len(cells)), own * lent.effect))
    apart = share - share_else

    def finds(most: float, sure: float, any_sure: float) -> float:
        return max(most + sure * noise, any_sure * noise) + _MOSTLY * noise

    return _Found(ratio=apart, least=lambda sure: apart - sure * noise, noise=noise, finds=finds)


_OF: Final = {"error_share": _of_errors, "mean_s": _of_mean, "p95_s": _of_p95}


def _variance_of_ratio(sample: Sample, cells: Sequence[Sums], lent: Spread) -> float:
    """Of the ratio's logarithm: what these cells show and what was lent, each by its degrees."""
    own = _own_variance(sample)
    degrees = len(cells) - 1
    seen = _variance(_residuals_of_seconds(cells), len(cells)) if degrees else 0.0
    mixed = (degrees * seen + lent.degrees * lent.effect * own) / max(1, degrees + lent.degrees)
    return max(own, mixed)


def _residuals_of_seconds(cells: Sequence[Sums]) -> list[float]:
    whole = sum(cells, Sums())
    if not whole.treated_s or not whole.untreated_s:
        return [0.0 for _ in cells]
    mean = whole.treated_s / whole.treated_units
    mean_else = whole.untreated_s / whole.untreated_units
    return [
        (cell.treated_s - mean * cell.treated_units) / whole.treated_s
        - (cell.untreated_s - mean_else * cell.untreated_units) / whole.untreated_s
        for cell in cells
    ]


def _variance(residuals: Sequence[float], cells: int) -> float:
    if cells < 2:  # noqa: PLR2004 - one tells of no spread
        return 0.0
    return cells / (cells - 1) * math.fsum(one * one for one in residuals)


def _own_variance(sample: Sample) -> float:
    """Of the ratio's logarithm, if each unit told something of its own."""
    return sum(
        _relative_variance(work) / work.units
        for work in (sample.treated, sample.untreated)
        if work.units
    )


# In the middle of each bucket; beyond the last bound as at it.
_MIDDLES: Final = (
    BOUNDS_S[0] / 2,
    *(math.sqrt(low * high) for low, high in pairwise(BOUNDS_S)),
    BOUNDS_S[-1],
)


def _relative_variance(work: Work) -> float:
    count = sum(work.buckets)
    if not count:
        return 0.0
    first = math.fsum(n * at for n, at in zip(work.buckets, _MIDDLES, strict=True) if n) / count
    second = math.fsum(n * at * at for n, at in zip(work.buckets, _MIDDLES, strict=True) if n)
    return max(0.0, second / count / first**2 - 1)


def _quantile(normal: float, degrees: int) -> float:
    """Of Student's distribution, where that of the normal one is `normal` (Cornish and Fisher)."""
    z = normal
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / degrees + second / degrees**2 + third / degrees**3


def _percent(part: float) -> str:
    return f"{part * 100:+.0f} %" if abs(part) < _ANY_NUMBER else f"× {part + 1:.0f}"


def _points(share: float) -> str:
    return f"{share * 100:+.2g} points"


def _share(share: float) -> str:
    return f"{share * 100:.2g} %"


def _span(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"
