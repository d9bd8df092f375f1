"""What share of those who asked for a flag got which variant, of late."""

from collections.abc import Sequence
from dataclasses import dataclass

from console.flags.reading import FlagView

# Of ink, for variants are no states: what the stage gives is the darkest.
_TARGET, _REST, _MORE = "shade-1", "shade-3", ("shade-2", "shade-4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A variant's share, of 1, of what was asked a minute."""

    variant: str
    shade: str
    share: float
    a_minute: float


def measured_of(flag: FlagView) -> list[Part]:
    """What the stage gives first, then what the others get; none where nobody asked of late."""
    rates = {name: rate for name, rate in (flag.per_minute or {}).items() if rate > 0}
    total = sum(rates.values())
    order = dict.fromkeys((flag.target, flag.rest, *flag.variants, *rates))
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


def share_of(variant: str, parts: Sequence[Part]) -> float | None:
    """None where nobody asked."""
    return sum(part.share for part in parts if part.variant == variant) if parts else None


def asked_of(flag: FlagView) -> int:
    """The percent that should get the target: of processes what their whole number comes to."""
    reach = flag.reach
    if reach.treated is None or not reach.processes:
        return flag.effective_stage
    return round(100 * reach.treated / reach.processes)


def _shade(name: str, at: int, flag: FlagView) -> str:
    if name == flag.target:
        return _TARGET
    return _REST if name == flag.rest else _MORE[at % len(_MORE)]
