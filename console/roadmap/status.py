"""How far an optimisation is: derived whenever it is asked, from what is so, and never stored.

Flags say whether it is in force. Whether it holds what it promises is for others to say: whoever
measures registers what it has found (`register`), and nothing is done before somebody has.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from console.flags.catalogue import BY_KEY
from console.flags.models import Flag
from console.flags.standing import ALL, Standing
from console.roadmap.decisions import Optimisation
from console.roadmap.rows import Planned


class State(StrEnum):
    NOT_BUILT = "not_built"
    # Nobody has it: its flags are elsewhere.
    OFF = "off"
    PARTIAL = "partial"
    # Everybody has it; whether it brings what it promises is not shown.
    IN_FORCE = "in_force"
    # In force, and all that was found about it holds; or permanent, and a test guards it.
    DONE = "done"


WORDS: Final[Mapping[State, str]] = {
    State.NOT_BUILT: "not built",
    State.OFF: "off",
    State.PARTIAL: "in part",
    State.IN_FORCE: "in force, not proved",
    State.DONE: "done",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What somebody found about an optimisation. `holds` None: it could not be said. `kind`:
    "evidence", "gate" or "drill". `is_measured` False: a test holds it, and no figure.
    """

    optimisation: str
    kind: str
    key: str
    holds: bool | None
    words: str
    is_measured: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """`share`: percent of the units that have it; None where no flag decides."""

    state: State
    words: str
    share: int | None
    found: tuple[Finding, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"state": str(self.state)}


type Ask = Callable[[], Iterable[Finding]]
_asked: dict[str, Ask] = {}


def register(kind: str, ask: Ask) -> None:
    """At start, by whoever measures. `ask` is called once a look, about all optimisations."""
    _asked[kind] = ask


def findings() -> Mapping[str, tuple[Finding, ...]]:
    """Of each optimisation, what all that are registered have found."""
    told: dict[str, tuple[Finding, ...]] = {}
    for ask in _asked.values():
        for each in ask():
            told[each.optimisation] = (*told.get(each.optimisation, ()), each)
    return told


def derive(
    row: Optimisation, planned: Planned, flags: Mapping[str, Flag], found: tuple[Finding, ...] = ()
) -> Status:
    """`flags`: as they stand now, by their keys."""
    if not row.built:
        return Status(state=State.NOT_BUILT, words=row.reason, share=None, found=found)
    if row.decision == "permanent":
        words = f"permanent; {row.test.rpartition('::')[2]} fails if it comes back"
        return Status(state=State.DONE, words=words, share=None, found=found)
    if row.decision == "deployment":
        return _judged("a matter of the deployment", None, planned, found)
    shares = {key: _share(key, planned, flags.get(key)) for key in row.flags}
    words = ", ".join(_of_flag(key, flags.get(key)) for key in row.flags)
    least, most = min(shares.values()), max(shares.values())
    if least < ALL:
        state = State.PARTIAL if most else State.OFF
        return Status(state=state, words=words, share=least, found=found)
    return _judged(words, ALL, planned, found)


def _judged(words: str, share: int | None, planned: Planned, found: tuple[Finding, ...]) -> Status:
    """Of what is in force: done where all that was found holds; what is not sure does not count,
    and that it can be taken back says nothing of what it brings. Where the source has a figure of
    that, tests alone do not show it.
    """
    shown = [each for each in found if each.kind != "drill"]
    is_measured = any(each.is_measured for each in shown)
    if shown and not is_measured:
        words = f"{words}; held by tests, nothing is measured of it"
    is_shown = is_measured or (bool(shown) and all(each.low is None for each in planned.effects))
    is_done = is_shown and all(each.holds for each in found)
    state = State.DONE if is_done else State.IN_FORCE
    return Status(state=state, words=words, share=share, found=found)


def _share(key: str, planned: Planned, flag: Flag | None) -> int:
    """Percent of the units that have one of the variants that the source asks for."""
    definition = BY_KEY[key]
    every = tuple(name for name in definition.variants if name != definition.baseline)
    asked = planned.variants.get(key, every)
    if flag is None or not flag.enabled:
        return ALL if definition.ships in asked else 0
    standing = Standing.of(flag)
    if (one := standing.everyone) is not None:
        return ALL if one in asked else 0
    return sum(standing.share(name) for name in {standing.target, standing.rest} & set(asked))


def _of_flag(key: str, flag: Flag | None) -> str:
    return f"{key}: {Standing.of(flag).words if flag else 'as shipped'}"
