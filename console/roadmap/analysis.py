"""What an experiment's blocks amount to: the effect with its interval, and what was carried over.

A pair is one block of the baseline and one of the treatment that ran beside each other. Effects
are differences of logarithms, so that 0.8 and 1.25 are equally far from nothing; what may be zero
is compared as it is. The interval is a studentized bootstrap's: with the tens of pairs that there
are, a normal one is too narrow. Pure: figures in, figures out. With it comes numpy, so that
only who runs experiments imports it.
"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from console.roadmap.effects import CONFIDENCE, LEAST_PAIRS, Effect, Scale

_RESAMPLES: Final = 4_000

type Floats = npt.NDArray[np.float64]


class TooFewPairs(ValueError):
    """Nothing can be said with so few."""


def effect(
    baseline: Sequence[float], treatment: Sequence[float], *, seed: int, scale: Scale = "ratio"
) -> Effect:
    """Of pairs, in order. Raises TooFewPairs, and ValueError where a ratio has no logarithm."""
    before, after = _arrays(baseline, treatment)
    if scale == "ratio":
        if (before <= 0).any() or (after <= 0).any():
            raise ValueError("A ratio needs figures above zero: compare differences.")
        differences = np.log(after / before)
    else:
        differences = after - before
    mean, low, high = _interval(differences, seed)
    told = [math.expm1(value) if scale == "ratio" else value for value in (mean, low, high)]
    return Effect(
        scale=scale,
        estimate=told[0],
        low=told[1],
        high=told[2],
        spread=float(differences.std(ddof=1)),
        pairs=len(differences),
    )


def carry_over(values: Sequence[float], arms: Sequence[str], *, seed: int) -> Effect | None:
    """By how much a block that comes after one of the other arm is drawn towards that arm, against
    one that comes after its own; in the order they ran. None where too few of either kind did.

    Each block is held against the mean of its arm, so that the effect itself is no part of it.
    """
    logs = np.log(np.asarray(values, dtype=np.float64))
    names = np.asarray(arms)
    one, other = sorted(set(arms))
    means = {arm: float(logs[names == arm].mean()) for arm in (one, other)}
    towards = math.copysign(1.0, means[other] - means[one])
    drawn = np.where(names == one, (logs - means[one]) * towards, (means[other] - logs) * towards)
    switched = names[1:] != names[:-1]
    after_other, after_own = drawn[1:][switched], drawn[1:][~switched]
    number = min(len(after_other), len(after_own))
    if number < LEAST_PAIRS // 2:
        return None
    mean, low, high = _apart(after_other, after_own, seed)
    return Effect(
        scale="ratio",
        estimate=math.expm1(mean),
        low=math.expm1(low),
        high=math.expm1(high),
        spread=float(drawn.std(ddof=1)),
        pairs=number,
    )


def _arrays(baseline: Sequence[float], treatment: Sequence[float]) -> tuple[Floats, Floats]:
    if len(baseline) != len(treatment):
        raise ValueError(f"{len(baseline)} blocks against {len(treatment)} are no pairs.")
    if len(baseline) < LEAST_PAIRS:
        raise TooFewPairs(f"{len(baseline)} pairs: at least {LEAST_PAIRS} are needed.")
    return np.asarray(baseline, dtype=np.float64), np.asarray(treatment, dtype=np.float64)


def _interval(differences: Floats, seed: int) -> tuple[float, float, float]:
    """Mean, and the bounds of a studentized bootstrap."""
    number = len(differences)
    mean, error = float(differences.mean()), _error(differences)
    if error == 0:
        return mean, mean, mean  # what is counted, and is the same each time
    drawn = np.random.default_rng(seed).integers(0, number, (_RESAMPLES, number))
    samples = differences[drawn]
    errors = samples.std(axis=1, ddof=1) / math.sqrt(number)
    kept = errors > 0
    students = (samples.mean(axis=1)[kept] - mean) / errors[kept]
    return mean, *_bounds(mean, error, students)


def _apart(one: Floats, other: Floats, seed: int) -> tuple[float, float, float]:
    """The difference of two means that are no pairs, in the same way."""
    chance = np.random.default_rng(seed)
    mean = float(one.mean() - other.mean())
    error = math.hypot(_error(one), _error(other))
    if error == 0:
        return mean, mean, mean
    drawn = [part[chance.integers(0, len(part), (_RESAMPLES, len(part)))] for part in (one, other)]
    spreads = [part.std(axis=1, ddof=1) / math.sqrt(part.shape[1]) for part in drawn]
    errors = np.hypot(*spreads)
    kept = errors > 0
    means = drawn[0].mean(axis=1) - drawn[1].mean(axis=1)
    return mean, *_bounds(mean, error, (means[kept] - mean) / errors[kept])


def _bounds(mean: float, error: float, students: Floats) -> tuple[float, float]:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(students, (tail, 1 - tail))
    return mean - float(high) * error, mean - float(low) * error


def _error(values: Floats) -> float:
    return float(values.std(ddof=1)) / math.sqrt(len(values))
