"""One flag as tables show it: its state in words, where it belongs, and what stands beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.urls import reverse

from console.flags.bounds import STAGES
from console.flags.catalogue import BY_KEY
from console.flags.models import Unit
from console.flags.reading import FlagView, Step
from console.flags.standing import ALL, Standing
from console.pages import figures
from console.pages.flag_split import own_defaults
from console.pages.states import State


@dataclass(frozen=True, slots=True)
class Area:
    slug: str
    name: str


# Where a flag belongs, by what its key begins with; what is not of this release is of others.
_OTHERS: Final = Area("others", "Other services")
_CACHES, _PROCESSES, _WEB = (
    Area("cache", "Caches"),
    Area("process", "Processes"),
    Area("web", "Web"),
)
_PREFIXES: Final = {
    "cache": _CACHES,
    "rpc": Area("rpc", "Calls to nodes"),
    "breaker": Area("breaker", "Breakers"),
    "memory": _PROCESSES,
    "logging": _PROCESSES,
    "web": _WEB,
    "exports": _WEB,
    "api": _WEB,
    "db": Area("db", "Database"),
}
AREAS: Final = (*dict.fromkeys(_PREFIXES.values()), _OTHERS)
FLEETS: Final = {"worker": "workers", "web": "web", "all": "workers and web", "": "other services"}
_UNITS: Final = {
    Unit.ITEM.value: ("item", "items"),
    Unit.PROCESS.value: ("process", "processes"),
    Unit.TIME_SLOT.value: ("time slot", "time slots"),
}
_STATES: Final = {
    "off": State(glyph="idle", word="Off", effect="own defaults hold"),
    "custom": State(glyph="idle", word="Targeting", effect="its own"),
    "baseline": State(glyph="idle", word="Baseline", effect="on all"),
    "everyone": State(glyph="closed", word="In force", effect="on all"),
}
# In the place of a number that there is none of.
NOT_THEIRS: Final = "–"
_NOT_WIRED: Final = State(glyph="idle", word="Not wired", effect="nothing reads it")


@dataclass(frozen=True, slots=True)
class Mark:
    """A word beside a flag, and what it means."""

    word: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A flag with its state. `first` is what most look for: the variant that the stage gives;
    `other` what those beyond it get, "" where all have the same. One that is off gives nothing:
    `own` is what the workers go by then, by their word, and on how many.
    """

    flag: FlagView
    state: State
    area: Area
    first: str
    other: str
    marks: tuple[Mark, ...]
    own: tuple[tuple[str, int], ...]

    @property
    def href(self) -> str:
        return reverse("flag", args=[self.flag.key])

    @property
    def next_stage(self) -> int | None:
        """That may be raised to; None at the top, and where no stage may be set."""
        flag = self.flag
        return None if flag.next is None or flag.why_not else flag.next.percent

    @property
    def stage_href(self) -> str:
        """Of the dialog that moves it, which begins with the next stage where there is one."""
        address = reverse("flag-stage", args=[self.flag.key])
        return f"{address}?stage={self.next_stage}" if self.next_stage else address

    @property
    def obeyed(self) -> str:
        """By how many workers; "" where none reports, NOT_THEIRS where they have no part in it."""
        if not self.is_told_by_workers:
            return NOT_THEIRS
        if not self.flag.heard or self.flag.acknowledged is None:
            return ""
        return f"{figures.count(self.flag.acknowledged)} of {figures.count(self.flag.heard)}"

    @property
    def can_roll_back(self) -> bool:
        flag = self.flag
        is_there = flag.state == "baseline" or (flag.stage == 0 and flag.rest == flag.baseline)
        return not flag.why_not and not is_there

    @property
    def waiting(self) -> tuple[Step, ...]:
        """Of its plan, the next step first."""
        return tuple(step for step in self.flag.plan if step.state == "waiting")

    @property
    def is_staged(self) -> bool:
        """Whether its stage decides what is given: not of one that is off, or that targets."""
        return self.flag.enabled and self.flag.targeting is None

    @property
    def kept(self) -> str:
        """How it stands again once it is switched on."""
        flag = self.flag
        return Standing(
            target=flag.target, rest=flag.rest, stage=flag.stage, unit=flag.unit, enabled=True
        ).words

    @property
    def unit_word(self) -> str:
        return _UNITS[self.flag.unit][0]

    @property
    def units_word(self) -> str:
        return _UNITS[self.flag.unit][1]

    @property
    def fleet(self) -> str:
        return FLEETS.get(self.flag.fleet, self.flag.fleet)

    @property
    def is_read(self) -> bool:
        """Whether a part of ours goes by it."""
        return self.flag.wired and bool(self.flag.fleet)

    @property
    def is_told_by_workers(self) -> bool:
        return self.is_read and self.flag.fleet in {"worker", "all"}

    @property
    def a_minute(self) -> int | None:
        rates = self.flag.per_minute
        return None if rates is None else round(sum(rates.values()))

    @property
    def as_shipped(self) -> bool:
        """Of this release, and as it comes. What others brought ships with nothing."""
        definition = BY_KEY.get(self.flag.key)
        if definition is None or not self.flag.builtin:
            return not self.flag.builtin
        return self.flag.enabled and not self.other and self.first == definition.ships


def row_of(flag: FlagView) -> Row:
    is_split = flag.state == "partial"
    given = flag.rest if flag.effective_stage == 0 else flag.target
    return Row(
        flag=flag,
        state=_state(flag),
        area=area_of(flag),
        first=given if flag.enabled else "",
        other=flag.rest if is_split else "",
        marks=_marks(flag),
        own=tuple(own_defaults(flag).items()),
    )


def area_of(flag: FlagView) -> Area:
    found = _PREFIXES.get(flag.key.partition(".")[0], _OTHERS)
    return found if flag.builtin else _OTHERS


def failing(flag: FlagView) -> int:
    """Workers that are up and could not decide it."""
    return sum(row.is_current and row.reason == "ERROR" for row in flag.workers)


def stages_of(flag: FlagView) -> Sequence[int]:
    """Those on offer, and the one that holds."""
    return sorted({*STAGES, flag.stage})


def _state(flag: FlagView) -> State:
    if flag.builtin and not flag.wired:
        return _NOT_WIRED
    if number := failing(flag):
        return State(glyph="open", word="Failing", effect=f"on {number} of {flag.heard}")
    if flag.state == "held":
        waits = ", ".join(need.flag for need in flag.requires if not need.met)
        return State(glyph="half", word="Held", effect=f"nobody has it: waits for {waits}")
    if flag.state == "partial":
        return State(glyph="half", word="Rolling out", effect=f"{flag.stage} %")
    return _STATES[flag.state]


def _marks(flag: FlagView) -> tuple[Mark, ...]:
    found = []
    if flag.frost is not None and not flag.frost.of_all:
        title = f"Until {flag.frost.until:%Y-%m-%d %H:%M} UTC no stage of it is raised"
        found.append(Mark("frozen", title))
    if waiting := [step for step in flag.plan if step.state == "waiting"]:
        found.append(Mark(f"→ {waiting[0].stage} % planned", f"At {waiting[0].at:%H:%M:%S} UTC"))
    if flag.enabled and flag.stage == ALL and flag.holds_back:
        found.append(Mark("holds back", f"Waiting for it: {', '.join(flag.holds_back)}"))
    return tuple(found)
