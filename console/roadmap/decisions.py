"""Which optimisation of the sources is behind a flag, which is permanent, which is deployment."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

PATH: Final = Path(__file__).parent / "decisions.toml"
# The sources' programmes, in the order of `sources/README.md`'s importance.
PROGRAMMES: Final = ("roadmap", "io", "bottlenecks", "overlay", "fixpack")

type Kind = Literal["flag", "permanent", "deployment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimisation:
    """One proposal of a source. `lines` are those of the source that propose it.

    flag: `flags` turn it on and off while the fleet runs. permanent: nobody would want the old
    behaviour back; `test` fails if it comes back. deployment: no process decides it. `rollback` is
    what to do to take it back, for all of them. Not `built`: nothing of it is in this release.
    """

    id: str
    programme: str
    title: str
    lines: str
    decision: Kind
    rollback: str
    reason: str = ""
    flags: tuple[str, ...] = ()
    test: str = ""
    built: bool = True


@cache
def optimisations() -> tuple[Optimisation, ...]:
    """Of all programmes, in the order of the sources."""
    rows = tomllib.loads(PATH.read_text(encoding="utf-8"))["optimisation"]
    return tuple(Optimisation(**{**row, "flags": tuple(row.get("flags", ()))}) for row in rows)


@cache
def _by_id() -> dict[str, Optimisation]:
    return {row.id: row for row in optimisations()}


def by_id(id: str) -> Optimisation:  # noqa: A002 - its name
    """Raises KeyError."""
    return _by_id()[id]


def of_flag(key: str) -> tuple[Optimisation, ...]:
    return tuple(row for row in optimisations() if key in row.flags)
