"""What leaves: a gate as it was judged, a target or key figure as it was measured."""

from dataclasses import dataclass
from typing import Literal

type State = Literal["pass", "fail", "no_data", "not_measurable"]

# What it rests on: the history and what else is live, an experiment, tests of the release (which is
# not made while one fails), what is in the release, or nothing.
type Ground = Literal["measured", "experiment", "test", "release", "nothing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One gate. `wanted` and `value` are in `unit`; value None: no figure, `why` says it. `samples`
    are what was counted: points of a series, or requests, look-ups and calls of a share or a
    percentile. `link` leads to where its figures are shown; "": nowhere.
    """

    id: str
    # "": of the whole programme.
    phase: str
    programme: str
    # "criterion", "phase gate", "deliverables", "kpi" or "quality gate".
    kind: str
    title: str
    # The number of the document, and its lines.
    source: str
    lines: str
    state: State
    value: float | None
    wanted: str
    unit: str
    window_s: float
    samples: int
    least: int
    why: str
    link: str
    optimisations: tuple[str, ...]
    by: Ground = "measured"

    @property
    def word(self) -> str:
        """Of its state: what nobody measured has not passed, it is held."""
        held = {"test": "held by a test", "release": "in this release"}.get(self.by)
        return held if held and self.state == "pass" else self.state.replace("_", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What is measured of a target or key figure. `value` None: `why` says why not. `points` are
    its last hours, oldest first, None where nothing is known. `meets` the last mark of a target;
    `reached` names the marks that it meets.
    """

    value: float | None
    unit: str
    why: str
    points: tuple[float | None, ...]
    link: str
    # How old the newest of its points is; None: there is none.
    age_s: float | None
    meets: bool | None
    reached: tuple[str, ...] = ()
