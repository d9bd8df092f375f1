"""Workloads without engines: what a runner, a judge and a command make of figures."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

import msgspec

from console.access.audit import Actor
from console.experiments.claims import Claim, Plan, claims
from console.experiments.schedule import Arm
from console.experiments.workloads import Bench

ACTOR = Actor.at_terminal("ops@here")

type Figure = Callable[[Random, Arm], float]


def claim(key: str = "fetch-parallel", **changes: object) -> Claim:
    """A shipped claim, with as few pairs as anything can be said of."""
    quick = {"plan": Plan(pairs=8), "guards": (), **changes}
    return msgspec.structs.replace(claims()[key], **quick)


@dataclass(frozen=True, slots=True)
class Blocks:
    """Each block's figure is `figure`'s; `before` is called ahead of each with its number."""

    figure: Figure
    metric: str = "item_ms"
    before: Callable[[int], None] = lambda _number: None

    @contextmanager
    def __call__(self, wanted: Claim, seed: int) -> Iterator[Bench]:
        del wanted
        yield _Bench(self, Random(seed))


class _Bench:
    def __init__(self, of: Blocks, chance: Random) -> None:
        self._of, self._chance, self._number = of, chance, 0

    def block(self, pair: int, arms: Sequence[Arm]) -> list[Mapping[str, float]]:
        del pair
        self._of.before(self._number)
        self._number += 1
        return [{self._of.metric: self._of.figure(self._chance, arm)} for arm in arms]


def less_in_parallel(chance: Random, arm: Arm) -> float:
    """40 % less, by a machine that is now faster, now slower."""
    return chance.lognormvariate(0, 0.02) * (6.0 if arm.variant == "parallel" else 10.0)
