"""What pages, API and commands show of a flag: frozen rows, made by `console.flags.reading`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.access.models import AuditEntry
from console.flags.reach import Reach


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A requirement, and whether it is in force everywhere. `now_is`: how that flag stands."""

    flag: str
    variant: str
    met: bool
    now_is: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Frost:
    """Until when nothing may be raised. `of_all`: no stage of any flag."""

    of_all: bool
    until: datetime
    reason: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Of a plan. `state`: waiting, done, lapsed, cancelled, refused; `note` says why not done."""

    at: datetime
    stage: int
    state: str
    reason: str
    actor: str
    settled_at: datetime | None
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OnWorker:
    """The flag in one process, by its word of `age_s` ago; None where it says nothing of it."""

    worker: str
    state: str
    age_s: float
    slot: int | None
    # Obeys the flag's revision.
    acknowledged: bool
    # Of items while a stage splits them: "".
    variant: str | None
    value: str | None
    reason: str | None
    in_force: str | None
    # Decisions by variant since it started.
    evaluations: Mapping[str, int]
    # The variant that it should have; "" as above, None where it cannot be said.
    expected: str | None

    @property
    def is_current(self) -> bool:
        return self.state == "up"

    @property
    def agrees(self) -> bool | None:
        """Has what it should have; None where that cannot be said."""
        if self.expected is None or self.variant is None:
            return None
        return self.variant == self.expected


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagView:
    """One flag with all that is known of it now; what nobody can say is None, never zero."""

    key: str
    title: str
    description: str
    type: str
    enabled: bool
    # The baseline first.
    variants: Mapping[str, Any]
    baseline: str
    target: str
    rest: str
    stage: int
    # 0 while held.
    effective_stage: int
    # "gzip on 25 %, base64 else", "gzip", "off".
    words: str
    unit: str
    units: tuple[str, ...]
    slot_s: int
    fleet: str
    layer: str
    bake_s: Mapping[int, int]
    targeting: Mapping[str, Any] | None
    metadata: Mapping[str, Any]
    builtin: bool
    wired: bool
    revision: int
    staged_at: datetime
    changed_at: datetime
    reason: str
    actor: str
    # All that it requires; it is held while one is not met.
    requires: tuple[Hold, ...]
    # Flags whose stage waits for this one.
    holds_back: tuple[str, ...]
    frost: Frost | None
    # Why no stage may be set at all; "" where one may.
    why_not: str
    # What waits, in its order, then what was settled of late, the newest first.
    plan: tuple[Step, ...]
    # The newest first; () in a list of flags.
    history: tuple[AuditEntry, ...]
    # Of the stage that holds, and of the next offered (None at the last).
    reach: Reach
    next: Reach | None
    # Seconds that the stage has held, and that it should before the next; 0: no matter.
    baked_s: float
    to_bake_s: int
    workers: tuple[OnWorker, ...]
    # False: nobody could be asked, and the two beside it are None.
    reachable: bool
    acknowledged: int | None
    heard: int | None
    # A minute by variant, over so long, so old; None: no two readings of late.
    per_minute: Mapping[str, float] | None
    rate_over_s: float | None
    rate_age_s: float | None

    @property
    def held(self) -> bool:
        return not all(need.met for need in self.requires)

    @property
    def state(self) -> str:
        """off, held, custom, baseline, partial or everyone."""
        if not self.enabled:
            return "off"
        if self.targeting is not None:
            return "custom"
        if self.held and self.stage:
            return "held"
        if 0 < self.stage < 100 and self.target != self.rest:  # noqa: PLR2004 - percent
            return "partial"
        one = self.rest if self.stage == 0 else self.target
        return "baseline" if one == self.baseline else "everyone"

    @property
    def is_baked(self) -> bool:
        return self.baked_s >= self.to_bake_s

    @property
    def by_variant(self) -> Mapping[str, int]:
        """Workers that are up, by the variant that each has."""
        found: dict[str, int] = {}
        for row in self.workers:
            if row.is_current and row.variant:
                found[row.variant] = found.get(row.variant, 0) + 1
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a change would come to. `why_not`: it would be refused, and why; "" where it would not.

    `revision` is what it is based on: give it with the change.
    """

    key: str
    now_is: str
    would_be: str
    reach: Reach
    # It gives units what they had not; such a change is refused while frozen.
    raises: bool
    # Flags that it would hold back.
    holds_back: tuple[str, ...]
    baked_s: float
    to_bake_s: int
    # "not rehearsed", or when and with what end; "" where nobody would get the target.
    rehearsed: str
    # The variants that ask for a drill first.
    lack_drills: tuple[str, ...]
    # Steps of a plan that it would end.
    ends_steps: int
    why_not: str
    revision: int
