"""In which order the blocks of an experiment run: drawn from a seed, so that it can be repeated."""

from dataclasses import dataclass
from random import Random
from typing import Literal

type Kind = Literal["ab", "aa"]
type Side = Literal["a", "b"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    side: Side
    variant: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two blocks that run one right after the other, in this order, on the same items."""

    number: int
    kind: Kind
    arms: tuple[Arm, Arm]


def pairs_of(baseline: str, treatment: str, *, pairs: int, seed: int) -> list[Pair]:
    """So many of each kind, mixed; in half of each kind, about, the second side begins.

    The baseline against itself is measured at the same time as the effect: what the machine does
    meanwhile is done to both.
    """
    chance = Random(seed)  # noqa: S311 - an order, no secret
    kinds: list[Kind] = ["ab", "aa"] * pairs
    chance.shuffle(kinds)
    turns: dict[Kind, list[bool]] = {kind: _turns(pairs, chance) for kind in ("ab", "aa")}
    return [
        Pair(
            number=number,
            kind=kind,
            arms=_ordered(baseline, treatment if kind == "ab" else baseline, turns[kind].pop()),
        )
        for number, kind in enumerate(kinds)
    ]


def _turns(pairs: int, chance: Random) -> list[bool]:
    """Half of them turned, in a random order: chance alone could turn most."""
    turned = [number % 2 == 0 for number in range(pairs)]
    chance.shuffle(turned)
    return turned


def _ordered(one: str, other: str, is_turned: bool) -> tuple[Arm, Arm]:
    first, second = Arm(side="a", variant=one), Arm(side="b", variant=other)
    return (second, first) if is_turned else (first, second)
