"""What the files of gates and measures may say: a small closed set of ways to judge something."""

from typing import Final, Literal

import msgspec

from console.roadmap.rows import Row
from monitoring.history.distributions import FAMILIES

type Sign = Literal["<", "<=", "=", ">=", ">"]
type Kind = Literal["phase gate", "criterion", "deliverables", "kpi", "quality gate"]
_OF_COUNTERS: Final = frozenset({"ratio", "average"})


class Load(Row, frozen=True, kw_only=True):
    figure: str
    least: int
    counted: str


class Measure(Row, frozen=True, kw_only=True):
    """A figure of the history over a window, in `unit` after `scale`.

    `mean`, `max`, `min` and `p95` are of points (of a counter: of its growth a second), `figures`
    being added up point by point. `up` is how much of the window the first was at one and the
    others were known: of what nobody knows it may be either. `growth` is by how many percent the
    window's last fifth is above its first. `ratio` is what all of `figures` grew by, over what all
    of `per` did. `average` and `quantile` are of a histogram that is kept (`family`).

    `least` samples (points; of the last three kinds what was counted: requests, look-ups) and at
    most `gaps` of the window unknown, or there is no data. `asked`: that it is low may only say
    that nobody asked for more.
    """

    id: str
    title: str
    unit: str
    by: Literal["mean", "max", "min", "p95", "growth", "ratio", "average", "quantile", "up"]
    figures: tuple[str, ...] = ()
    per: tuple[str, ...] = ()
    family: str = ""
    # Of a quantile: 0.95.
    at: float = 0.0
    scale: float = 1.0
    window_s: float = 3_600.0
    least: int = 60
    gaps: float = 0.2
    # At most so many points are read of the window.
    points: int = 360
    asked: bool = False
    # A counter and by how much it grew in the window at least: of a fleet that did nothing this
    # says nothing.
    load: Load | None = None
    # What is counted, in words: "requests".
    counted: str = "points"
    link: str
    note: str = ""
    # Ids of the targets and key figures that it is the figure of.
    of: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        is_of_family = self.by in {"average", "quantile"}
        if is_of_family != (self.family in FAMILIES) or is_of_family == bool(self.figures):
            raise ValueError("a measure is of figures, or an average or quantile of a family")
        if (self.by == "ratio") != bool(self.per) or (self.by == "quantile") != (0 < self.at < 1):
            raise ValueError("a ratio is per something, and a quantile at a share")

    @property
    def is_of_events(self) -> bool:
        """Whether samples are what was counted, and not points."""
        return self.by in {"ratio", "average", "quantile"}


class Unmeasured(Row, frozen=True, kw_only=True):
    """Targets and key figures (`of`) that nothing here can say."""

    of: tuple[str, ...]
    why: str


class By(Row, frozen=True, kw_only=True, tag_field="kind"):
    """How a gate is judged."""


class ByMeasure(By, frozen=True, kw_only=True, tag="measure"):
    measure: str
    sign: Sign = msgspec.field(name="is")
    value: float


class ByEvidence(By, frozen=True, kw_only=True, tag="evidence"):
    """The newest verdicts: one that is proved passes, all refuted fail. With `value` the effect's
    interval must lie on its good side (−0.66: 66 % less), whatever was worth having; with `unit`
    it is in that of the claim's metric, and not a share (−20 ms).
    """

    claims: tuple[str, ...]
    sign: Sign = msgspec.field(name="is", default="<=")
    value: float | None = None
    unit: str = ""

    def __post_init__(self) -> None:
        if self.unit and self.value is None:
            raise ValueError("what is in a unit has a value")


class ByLevel(By, frozen=True, kw_only=True, tag="level"):
    """What the treatment came to in the newest experiment of a claim, times `scale`."""

    claim: str
    sign: Sign = msgspec.field(name="is")
    value: float
    unit: str
    scale: float = 1.0


class ByTest(By, frozen=True, kw_only=True, tag="test"):
    """Tests that fail where it is no longer so: no release is made while one does."""

    tests: tuple[str, ...]


class ByLimits(By, frozen=True, kw_only=True, tag="limits"):
    """Limits of the capacity whose keys begin so; `readiness` instead of it: every point of it."""

    limits: tuple[str, ...] = ()
    readiness: bool = False


class ByAlerts(By, frozen=True, kw_only=True, tag="alerts"):
    """That none of these fired in the window of `measure`, which says how well it was watched."""

    severity: Literal["critical", "warning"] = "critical"
    # Beginnings of rules; none: all.
    rules: tuple[str, ...] = ()
    measure: str


class ByDrills(By, frozen=True, kw_only=True, tag="drills"):
    """That every flag of the phase's optimisations was rehearsed, and came back, on this code."""


class ByBuilt(By, frozen=True, kw_only=True, tag="built"):
    """That these optimisations are in this release."""

    of: tuple[str, ...]


class ByNothing(By, frozen=True, kw_only=True, tag="nothing"):
    """It cannot be measured here, and stays open."""

    why: str


type Way = (
    ByMeasure | ByEvidence | ByLevel | ByTest | ByLimits | ByAlerts | ByDrills | ByBuilt | ByNothing
)


class Gate(Row, frozen=True, kw_only=True):
    """One thing that a source asks for. `title` is what programmes and optimisations call it."""

    id: str
    programme: str
    phase: str = ""
    kind: Kind
    title: str
    lines: str
    optimisations: tuple[str, ...] = ()
    by: Way
