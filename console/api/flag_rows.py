"""How the API tells a flag: its row, its row in full, and what an act made of it."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Schema

from console import fleetview
from console.access.audit import Actor
from console.access.models import AuditEntry
from console.access.tokens import Caller
from console.api.wanted import audit_id_of
from console.flags import clock, reading
from console.flags.models import Flag as FlagRow
from console.flags.reading import FlagView
from console.flags.standing import Standing


class Reach(Schema):
    """`treated` of `processes` have the target whole; null where that is no matter of processes."""

    percent: int
    treated: int | None
    processes: int | None
    text: str


class Requirement(Schema):
    """In force everywhere (`met`), or the flag counts as at stage 0."""

    flag: str
    variant: str
    met: bool
    now_is: str


class Freeze(Schema):
    of_all: bool
    until: datetime
    reason: str
    actor: str


class PlannedStep(Schema):
    at: datetime
    stage: int
    state: Literal["waiting", "done", "lapsed", "cancelled", "refused"]
    reason: str
    actor: str
    settled_at: datetime | None
    note: str


class Flag(Schema):
    """One flag. `rest` is what units outside the stage get; `effective_stage` is 0 while it is
    held. `next` is the next stage offered. Counts of workers are null where nobody can be asked,
    and `per_minute` where there are no two readings of late.
    """

    key: str
    title: str
    description: str
    type: Literal["string", "integer", "float", "boolean", "object"]
    enabled: bool
    state: Literal["off", "held", "custom", "baseline", "partial", "everyone"]
    words: str
    variants: dict[str, Any]
    baseline: str
    target: str
    rest: str
    stage: int
    effective_stage: int
    unit: Literal["item", "process", "time_slot"]
    units: list[str]
    slot_s: int
    fleet: str
    layer: str
    bake_s: dict[str, int]
    targeting: dict[str, Any] | None
    metadata: dict[str, Any]
    builtin: bool
    wired: bool
    revision: int
    staged_at: datetime
    changed_at: datetime
    reason: str
    actor: str
    requires: list[Requirement]
    holds_back: list[str]
    frozen: Freeze | None
    why_not: str
    plan: list[PlannedStep]
    reach: Reach
    next: Reach | None
    baked_s: float
    to_bake_s: int
    reachable: bool
    acknowledged: int | None
    workers: int | None
    by_variant: dict[str, int]
    per_minute: dict[str, float] | None
    rate_over_s: float | None
    rate_age_s: float | None


class FlagList(Schema):
    flags: list[Flag]


class FlagOnWorker(Schema):
    """The flag in one process, by its word of `age_s` ago. `variant` is "" while a stage splits its
    items, and null where it says nothing.
    """

    worker: str
    worker_state: Literal["up", "stale", "gone"]
    age_s: float
    slot: int | None
    acknowledged: bool
    variant: str | None
    value: str | None
    reason: str | None
    in_force: str | None
    expected: str | None
    evaluations: dict[str, int]


class FlagChange(Schema):
    """An entry of the audit trail."""

    id: int
    at: datetime
    actor: str
    role: str
    action: str
    before: dict[str, Any]
    after: dict[str, Any]
    reason: str
    revision: int | None
    reverts_id: int | None


class FlagInFull(Flag):
    on_workers: list[FlagOnWorker]
    history: list[FlagChange]


class Stood(Schema):
    """How it stood before, and how long that had baked of how long it should."""

    words: str
    baked_s: float
    to_bake_s: int


class FlagChanged(Flag):
    """`audit_id` is the entry of this act, by which it can be taken back."""

    audit_id: int | None
    was: Stood | None


class Frozen(Schema):
    """`key` "" is all flags; `until` null: nothing holds any more."""

    key: str
    until: datetime | None
    reason: str
    actor: str


_ELSEWHERE = {"frozen", "workers", "plan", "requires", "reach", "next", "bake_s", "units"}


def actor_of(request: HttpRequest) -> Actor:
    caller: Caller = request.auth  # type: ignore[attr-defined]  # ninja puts there what auth gave
    return Actor.by_api(caller)


def stood(key: str) -> dict[str, Any] | None:
    """To be asked before the act."""
    found = FlagRow.objects.filter(pk=key).first()
    if found is None:
        return None
    baked_s, to_bake_s = reading.baking(found, clock.now())
    return {"words": Standing.of(found).words, "baked_s": baked_s, "to_bake_s": to_bake_s}


def listed() -> dict[str, Any]:
    return {"flags": [row_of(flag) for flag in reading.flags(fleetview.look())]}


def changed(flag: FlagRow, was: dict[str, Any] | None) -> dict[str, Any]:
    entry = audit_id_of(flag.revision)
    return row_of(reading.flag(flag.key)) | {"audit_id": entry, "was": was}


def in_full(flag: FlagView) -> dict[str, Any]:
    return row_of(flag) | {
        "on_workers": [_on_worker(row) for row in flag.workers],
        "history": [_change(entry) for entry in flag.history],
    }


def row_of(flag: FlagView) -> dict[str, Any]:
    own = {name: getattr(flag, name) for name in set(Flag.model_fields) - _ELSEWHERE}
    return own | {
        "units": list(flag.units),
        "bake_s": {str(stage): seconds for stage, seconds in flag.bake_s.items()},
        "requires": [asdict(need) for need in flag.requires],
        "frozen": flag.frost and asdict(flag.frost),
        "plan": [asdict(step) for step in flag.plan],
        "reach": asdict(flag.reach),
        "next": flag.next and asdict(flag.next),
        "workers": flag.heard,
    }


def _on_worker(row: reading.OnWorker) -> Mapping[str, Any]:
    return asdict(row) | {"worker_state": row.state}


def _change(entry: AuditEntry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in FlagChange.model_fields}
