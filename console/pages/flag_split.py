"""What those who asked for a flag got: of late by share, and now by the workers' own word."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from console.flags.reading import FlagView, OnWorker
from console.flags.standing import ALL
from validation.deciding import DEFAULT

OWN = "own default"
# Of ink, for variants are no states: what the stage gives is the darkest.
_TARGET, _REST, _MORE = "shade-1", "shade-3", ("shade-2", "shade-4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A variant's share, of 1, of what was asked a minute."""

    # OWN of those who went by their own default.
    variant: str
    shade: str
    share: float
    a_minute: float


def is_own(variant: str | None, flag: FlagView) -> bool:
    """Whether it tells of no variant: the process goes by the default in its code."""
    return variant == DEFAULT and DEFAULT not in flag.variants


def held_by(row: OnWorker, flag: FlagView) -> str | None:
    """What a process goes by: a variant, or the value of its own default; "" while its items are
    split, None where it said nothing.
    """
    return (row.in_force or row.value) if is_own(row.variant, flag) else row.variant


def own_defaults(flag: FlagView) -> dict[str, int]:
    """Of the workers that are up and go by their own default, how many by which value."""
    own = (row for row in flag.workers if row.is_current and is_own(row.variant, flag))
    return dict(Counter(found for row in own if (found := held_by(row, flag))))


def measured_of(flag: FlagView) -> list[Part]:
    """What it gives first, then what the others get; none where nobody asked of late."""
    rates: dict[str, float] = {}
    for name, rate in (flag.per_minute or {}).items():
        if rate > 0:
            got = OWN if is_own(name, flag) else name
            rates[got] = rates.get(got, 0.0) + rate
    total = sum(rates.values())
    order = dict.fromkeys((wanted_of(flag), flag.target, flag.rest, *flag.variants, *rates))
    names = [name for name in order if name in rates]
    return [
        Part(
            variant=name,
            shade=_shade(name, at, flag),
            share=rates[name] / total,
            a_minute=rates[name],
        )
        for at, name in enumerate(names)
    ]


def wanted_of(flag: FlagView) -> str:
    """Of what the share is told: the target; of one that is off, their own defaults."""
    return flag.target if flag.enabled else OWN


def share_of(variant: str, parts: Sequence[Part]) -> float | None:
    """None where nobody asked."""
    return sum(part.share for part in parts if part.variant == variant) if parts else None


def asked_of(flag: FlagView) -> int:
    """The percent that should get it: of processes what their whole number comes to."""
    if not flag.enabled:
        return ALL
    reach = flag.reach
    if reach.treated is None or not reach.processes:
        return flag.effective_stage
    return round(100 * reach.treated / reach.processes)


def _shade(name: str, at: int, flag: FlagView) -> str:
    if name == wanted_of(flag):
        return _TARGET
    return _REST if name == flag.rest else _MORE[at % len(_MORE)]
