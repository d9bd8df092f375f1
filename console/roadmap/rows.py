"""What the sources say, as typed rows: what each field of the files in `data/` may hold."""

from typing import Any, Literal

import msgspec

type Priority = Literal["critical", "high", "medium", "low"]
type Better = Literal["less", "more"]
type Span = tuple[float, float]
"""From, to: the same where one figure is said."""


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of a file. What is not said of a row is absent there, and empty here."""


class Effect(Row, frozen=True, kw_only=True):
    """What an optimisation is said to change: from `low` to `high` of `unit`, less being negative;
    in `words` where no figure is given.
    """

    metric: str
    low: float | None = None
    high: float | None = None
    unit: Literal["%", "ms", "GB", "×", ""] = ""
    words: str = ""

    def __post_init__(self) -> None:
        if self.low is None or self.high is None:
            if self.unit or not self.words or self.low is not self.high:
                raise ValueError("an effect has low, high and unit, or words")
        elif self.low > self.high or not self.unit:
            raise ValueError("an effect goes from low to high of a unit")


class Planned(Row, frozen=True, kw_only=True):
    """What a source says of one optimisation. Places and tests are of the system it describes."""

    id: str
    phase: str = ""
    location: tuple[str, ...]
    priority: Priority
    # None: not said.
    effort_h: float | None = None
    effects: tuple[Effect, ...]
    criteria: tuple[str, ...]
    tests: tuple[str, ...]
    # Of a flag of ours, the variants that are what the source asks for, or better; of a flag that
    # is not named here, all but the baseline.
    variants: dict[str, tuple[str, ...]] = {}
    depends: tuple[str, ...] = ()
    # Of other programmes, that propose the same.
    same_as: tuple[str, ...] = ()


class Phase(Row, frozen=True, kw_only=True):
    """`gain`: percent of what is there when it begins; `said_elsewhere`: the same, told otherwise
    in the same document. `gate`: what is asked for before the next.
    """

    id: str
    title: str
    weeks: str
    lines: str
    gain: Span | None = None
    said_elsewhere: Span | None = None
    hours: float | None = None
    hours_lines: str = ""
    gate: tuple[str, ...]
    gate_lines: str


class Programme(Row, frozen=True, kw_only=True):
    """One source. `headline`: percent that it promises in all."""

    id: str
    document: str
    title: str
    lines: str
    span: str
    headline: Span | None = None
    headline_lines: str = ""
    phase: tuple[Phase, ...]


class Mark(Row, frozen=True, kw_only=True):
    when: str
    at: tuple[float, ...]


class Target(Row, frozen=True, kw_only=True):
    """Where a figure is to be, and by when. `start`: what the source says it is; None: not said."""

    id: str
    programme: str
    metric: str
    unit: str
    better: Better
    start: float | None = msgspec.field(name="from", default=None)
    marks: tuple[Mark, ...]
    lines: str
    note: str = ""


class Kpi(Row, frozen=True, kw_only=True):
    id: str
    programme: str
    group: str
    metric: str
    comparison: Literal["<", "<=", "=", ">=", ">"] = msgspec.field(name="is")
    value: float
    unit: str
    lines: str


class Threshold(Kpi, frozen=True, kw_only=True):
    """`rule`: the alert of ours that watches the same; "": none."""

    severity: Literal["warning", "critical"]
    rule: str = ""


class Risk(Row, frozen=True, kw_only=True):
    """`after`: how likely the source says it is once everything is done."""

    id: str
    programme: str
    title: str
    likelihood: Priority
    impact: Priority
    after: Priority | None = None
    theirs: str
    ours: str
    lines: str


class Said(Row, frozen=True, kw_only=True):
    document: str
    lines: str
    says: str


class Contradiction(Row, frozen=True, kw_only=True):
    id: str
    kind: Literal["disagreement", "reckoning", "defect"]
    subject: str
    optimisations: tuple[str, ...]
    flags: tuple[str, ...] = ()
    said: tuple[Said, ...]
    choice: str
    why: str


class Adr(Row, frozen=True, kw_only=True):
    """A decision of a source, and what became of it `here`."""

    id: str
    title: str
    lines: str
    context: str
    decided: str
    gains: tuple[str, ...]
    costs: tuple[str, ...]
    rejected: tuple[str, ...]
    here: Literal["followed", "adapted", "superseded"]
    choice: str
    why: str
    optimisations: tuple[str, ...]
    contradictions: tuple[str, ...]


class CostPart(Row, frozen=True, kw_only=True):
    title: str
    a_year: float
    # Whether a measurement of the system could say it.
    measurable: bool


class Cost(Row, frozen=True, kw_only=True):
    """What a source reckons in $: `spent`, or `hours` at a price; `claimed_return` in times."""

    id: str
    programme: str
    title: str
    hours: Span | None = None
    spent: Span | None = None
    saving_a_year: Span
    claimed_return: Span
    parts: tuple[CostPart, ...]
    lines: str


class Prices(Row, frozen=True, kw_only=True):
    hour: float
    hour_lines: str
    gb_month: float
    gb_month_lines: str


class MemoryPart(Row, frozen=True, kw_only=True):
    part: str
    before_mb: float
    after_mb: float
    lines: str


class Listed(Row, frozen=True, kw_only=True):
    """A row of a list; `of` are the optimisations it is here, `none` says why it is none."""

    line: int
    of: tuple[str, ...] = ()
    none: str = ""

    def __post_init__(self) -> None:
        if bool(self.of) == bool(self.none):
            raise ValueError("a row of a list names optimisations, or says why it names none")


class SourceList(Row, frozen=True, kw_only=True):
    id: str
    programme: str
    title: str
    rows: tuple[Listed, ...]


def as_json(row: Row) -> dict[str, Any]:
    """Under the names that the files use."""
    told: dict[str, Any] = msgspec.to_builtins(row)
    return told
