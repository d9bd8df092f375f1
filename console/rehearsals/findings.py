"""What drills say of the optimisations: whether what their flags bring can be taken back."""

from collections.abc import Iterator
from typing import Final

from console.flags.catalogue import BY_KEY
from console.rehearsals import standing
from console.rehearsals.models import KIND as _KIND
from console.rehearsals.standing import Rehearsed
from console.roadmap.decisions import of_flag
from console.roadmap.programmes import roadmap
from console.roadmap.status import Finding

KIND: Final = _KIND


def told() -> Iterator[Finding]:
    """Of each optimisation and each variant of its flags that was rehearsed. What failed on other
    code is not known to fail on this one.
    """
    for (flag, target), one in standing.newest().items():
        for row in of_flag(flag) if flag in BY_KEY else ():
            if target in _asked(row.id, flag):
                yield Finding(
                    optimisation=row.id,
                    kind=KIND,
                    key=f"{flag}={target}",
                    holds=_holds(one),
                    words=one.words,
                )


def _asked(optimisation: str, flag: str) -> tuple[str, ...]:
    """The variants that are what its source asks for."""
    planned, (_, *others) = roadmap().planned.get(optimisation), BY_KEY[flag].variants
    return tuple(others) if planned is None else planned.variants.get(flag, tuple(others))


def _holds(one: Rehearsed) -> bool | None:
    return one.passed if one.passed or one.on_this_code else None
