"""What a rule is made of: a figure, its thresholds, how long they must be passed, who says so."""

from dataclasses import dataclass
from typing import Literal

type Severity = Literal["warning", "critical"]
# What is told together, and muted together.
type Group = Literal[
    "database", "replicas", "pgbouncer", "cache", "broker", "workers", "nodes", "validations",
    "console", "capacity",
]  # fmt: skip
type Unit = Literal["ratio", "seconds", "bytes", "count"]
# What missing figures mean: what stood stands, it is an alarm of its own, or it is over.
type Absent = Literal["hold", "fire", "clear"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Where a threshold comes from. `source`: number of the document (000 to 004) or "ours"."""

    source: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of the catalogue. Keys are kept for ever: silences and notifications name them."""

    key: str
    title: str
    group: Group
    # What one alert of it is about ("pool", "replica", "node", "worker"); "": there is only one.
    subject: str = ""
    unit: Unit
    breach: Literal["above", "below"] = "above"
    # A figure that reaches it. None: it is never of this severity.
    warning: float | None
    critical: float | None
    # Passed for so long before it fires; not passed for so long before it clears.
    hold_s: float
    clear_s: float = 30.0
    # Events in the rule's window below which nothing is said: one failure of two is no rate.
    least: float = 0.0
    absent: Absent = "hold"
    # Rules that follow from this one: not told of while it fires.
    mutes: tuple[str, ...] = ()
    # Where it is seen, and what to do: a page of the console, a file of docs/runbooks.
    page: str
    runbook: str
    # The same figure in PromQL, with the subject as a label; "": the console alone knows it.
    expr: str = ""
    said: tuple[Said, ...]
    # Which of them we follow, and why.
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A rule's figure for one subject. `value` None: not known now. `weight`: events behind it."""

    subject: str
    value: float | None
    weight: float | None = None
    # What to say beside the figure: "6 of 8 connections of db.primary are in use".
    words: str = ""
