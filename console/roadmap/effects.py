"""What an effect is, when it proves a claim, and how often a plan finds one that is there.

Pure, and light: pages and workers know these words without what computes an effect (`analysis`).
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, Literal

LEAST_PAIRS: Final = 8
CONFIDENCE: Final = 0.95

type Direction = Literal["less", "more"]
type Verdict = Literal["proved", "refuted", "inconclusive"]
type Scale = Literal["ratio", "difference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """By how much the treatment differs: −0.45 is 45 % less, of a difference that much less.

    `low` and `high` hold the truth in 95 of 100 experiments. `spread`: of one pair's difference, on
    the scale that was computed on (a logarithm, of ratios).
    """

    scale: Scale
    estimate: float
    low: float
    high: float
    spread: float
    pairs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """`why` in a sentence, with the figures that decided."""

    verdict: Verdict
    why: str


def judge(found: Effect, *, direction: Direction, least: float, noise: Effect | None) -> Judged:
    """Whether a claim holds: `least` is the least change worth having, above zero.

    `noise` is the same plan with the baseline in both arms: what is not beyond it is nothing.
    """
    towards = -1.0 if direction == "less" else 1.0
    # In the claimed direction, whichever that is.
    gain = sorted((towards * found.low, towards * found.high))
    said = f"between {_signed(found.low, found)} and {_signed(found.high, found)}"
    wanted = f"at least {_size(least, found)} {direction}"
    if gain[1] < least:
        return Judged(verdict="refuted", why=f"It is {said}; worth having is {wanted}.")
    if gain[0] < least:
        return Judged(verdict="inconclusive", why=f"It is {said}, which may be {wanted} or not.")
    if noise is not None and gain[0] <= floor(noise):
        why = (
            f"It is {said}; the same against itself differs by up to {_size(floor(noise), found)}."
        )
        return Judged(verdict="inconclusive", why=why)
    return Judged(verdict="proved", why=f"It is {said}; worth having is {wanted}.")


def floor(noise: Effect) -> float:
    """What the baseline may differ from itself by: no effect as small is one."""
    return max(abs(noise.low), abs(noise.high))


def power(
    true: float,
    *,
    spread: float,
    pairs: int,
    least: float,
    direction: Direction,
    scale: Scale = "ratio",
) -> float:
    """How often a plan proves a claim whose effect is truly `true` (−0.3: 30 % less), 0 to 1."""
    if spread <= 0:
        return float((true < -least) if direction == "less" else (true > least))
    towards = -1.0 if direction == "less" else 1.0
    bound = towards * least
    if scale == "ratio":
        true, bound = math.log1p(true), math.log1p(bound)
    error = spread / math.sqrt(pairs)
    beyond = towards * (true - bound) / error
    return NormalDist().cdf(beyond - NormalDist().inv_cdf(0.5 + CONFIDENCE / 2))


def _signed(value: float, found: Effect) -> str:
    return f"{value:+.1%}" if found.scale == "ratio" else f"{value:+.3g}"


def _size(value: float, found: Effect) -> str:
    return f"{value:.1%}" if found.scale == "ratio" else f"{value:.3g}"
