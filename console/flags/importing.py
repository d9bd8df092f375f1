"""Takes flags from a file of flagd's format: all of it or nothing, under one revision."""

import json
from collections import deque
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from console.access.audit import Actor
from console.access.roles import Role
from console.controls.bounds import needs, reason_of
from console.controls.change import Act, change_many_flags
from console.controls.errors import Refused
from console.flags import clock, definition_acts, definition_fields, guards
from console.flags.changing import Change, carry_plan, stamp
from console.flags.compiling import TOLD, compiled
from console.flags.guards import Around
from console.flags.models import Flag
from console.flags.rehearsed import lack_drills, told_of
from console.flags.standing import Standing

# What an export of ours says besides; a file of anybody else's may say some of it too.
_TEXTS = ("title", "description", "fleet", "layer", "unit", "baseline", "target", "rest", "slot_s")
_JSON = ("units", "requires", "bake_s")
_COLUMNS = sorted({"type", *Standing.__slots__, *definition_fields.FIELDS, "staged_at"})
_COLUMNS += ["revision", "changed_at", "actor", "reason"]
_STATES = {"ENABLED": True, "DISABLED": False}

type _Told = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Keys by what became of them."""

    created: list[str] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)


def import_file(actor: Actor, document: Mapping[str, Any], *, reason: str) -> Imported:
    """Flags that the file does not name stay. Of those of the release it sets how they stand."""
    needs(actor, Role.ADMIN, "Importing flags")
    act = Act(actor=actor, action="import", reason=reason_of(reason))
    entries = _in_order(_entries(document))
    # All that can be refused is refused before the lock, for which every control waits.
    if not _judged(entries, Around.look(clock.now())):
        return Imported(unchanged=[key for key, _ in entries])
    brought: dict[str, _Brought] = {}

    def write(revision: int, now: datetime) -> dict[str, tuple[_Told, _Told]]:
        found = _judged(entries, Around.look(now))
        brought.update((one.flag.key, one) for one in found)
        return _keep(act, found, revision, now)

    change_many_flags(act, write)
    return Imported(
        created=[key for key, one in brought.items() if one.was is None],
        edited=[key for key, one in brought.items() if one.was is not None],
        unchanged=[key for key, _ in entries if key not in brought],
    )


def _entries(document: Mapping[str, Any]) -> dict[str, _Told]:
    entries = document.get("flags")
    if not isinstance(entries, dict) or len(entries) > definition_acts.MOST_FLAGS:
        expected = (
            f"an object of at most {definition_acts.MOST_FLAGS} flags, as flagd's format has it"
        )
        raise Refused("flags", type(entries).__name__, expected)
    if document.get("$evaluators"):
        raise Refused("$evaluators", "…", "supported: write what they say into each targeting")
    return {definition_fields.key_of(key): _fields_of(key, entry) for key, entry in entries.items()}


def _fields_of(key: str, entry: object) -> _Told:
    """As `definition_fields.judged` takes them, and `enabled`."""
    if not isinstance(entry, dict) or entry.get("state") not in _STATES:
        raise Refused(f"flags.{key}", entry, "a flag whose state is ENABLED or DISABLED")
    variants, metadata = entry.get("variants"), entry.get("metadata") or {}
    if not isinstance(variants, dict) or not variants or not isinstance(metadata, dict):
        raise Refused(f"flags.{key}.variants", variants, "an object of variants")
    rest = entry.get("defaultVariant") or next(iter(variants))
    others = [name for name in variants if name != rest]
    fields = {
        "title": key,
        "baseline": rest,
        "target": others[0] if others else rest,
        "rest": rest,
        "stage": metadata.get("wanted_stage", metadata.get("stage", 0)),
        "variants": variants,
        "metadata": {name: value for name, value in metadata.items() if name not in TOLD},
    }
    fields |= {name: metadata[name] for name in _TEXTS if name in metadata}
    fields |= {name: _loaded(key, name, metadata[name]) for name in _JSON if name in metadata}
    judged = definition_fields.judged(fields) | {"enabled": _STATES[entry["state"]]}
    return judged | {"targeting": _targeting(key, judged, entry)}


def _loaded(key: str, name: str, text: object) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError as exc:
        raise Refused(f"flags.{key}.metadata.{name}", text, "JSON") from exc


def _targeting(key: str, fields: _Told, entry: Mapping[str, Any]) -> Any:
    """None where it is the one that the stage makes by itself."""
    given = entry.get("targeting") or None
    stage = (entry.get("metadata") or {}).get("stage", 0)
    by_stage = compiled(Flag(key=key, **(fields | {"stage": stage}))).get("targeting")
    if given is None or given == by_stage:
        return None
    return definition_fields.judged({"targeting": given})["targeting"]


def _in_order(entries: Mapping[str, _Told]) -> list[tuple[str, _Told]]:
    """What others require before them; a circle comes as it is, and is refused."""
    waiting = {
        key: {need["flag"] for need in fields.get("requires", ())} & entries.keys() - {key}
        for key, fields in entries.items()
    }
    users: dict[str, list[str]] = {}
    for key, needed in waiting.items():
        for other in needed:
            users.setdefault(other, []).append(key)
    ready = deque(key for key, needed in waiting.items() if not needed)
    found: dict[str, _Told] = {}
    while ready:
        key = ready.popleft()
        found[key] = entries[key]
        for user in users.get(key, ()):
            waiting[user].discard(key)
            if not waiting[user]:
                ready.append(user)
    return list((found | dict(entries)).items())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Brought:
    """A flag as it was, None where it is new, and as it will be."""

    was: Flag | None
    flag: Flag

    @property
    def unrehearsed(self) -> _Told:
        """For the trail: what the file gives out without a drill."""
        if self.was is None:
            return {}
        return told_of(lack_drills(self.flag, Standing.of(self.was), Standing.of(self.flag)))


def _judged(entries: Sequence[tuple[str, _Told]], around: Around) -> list[_Brought]:
    """What differs, each judged by what stands before it in the file. Writes nothing."""
    flags = dict(around.flags)
    found = []
    for key, fields in entries:
        was = flags.get(key)
        flag = copy(was) if was else Flag(key=key, target="", rest="", baseline="", variants={})
        _set(flag, fields)
        if was and definition_acts.told(flag) == definition_acts.told(was):
            continue
        definition_fields.settle(flag, flags)
        guards.judge_definition(was, flag, Around(flags=flags, freezes=around.freezes))
        flags[key] = flag
        found.append(_Brought(was=was, flag=flag))
    if len(flags) > definition_acts.MOST_FLAGS:
        expected = f"within the {definition_acts.MOST_FLAGS} flags there may be"
        raise Refused("flags", f"{len(flags)} with those that are there", expected)
    return found


def _keep(
    act: Act, brought: Sequence[_Brought], revision: int, now: datetime
) -> dict[str, tuple[_Told, _Told]]:
    for one in brought:
        if one.was is None or Standing.of(one.was) != Standing.of(one.flag):
            one.flag.staged_at = now
        stamp(one.flag, act, revision, now)
    Flag.objects.bulk_create([one.flag for one in brought if one.was is None])
    edited = [one.flag for one in brought if one.was is not None]
    Flag.objects.bulk_update(edited, _COLUMNS)
    for flag in edited:
        carry_plan(flag, Change(act=act, key=flag.key), now)
    return {
        one.flag.key: (
            definition_acts.told(one.was) if one.was else {},
            definition_acts.told(one.flag) | one.unrehearsed,
        )
        for one in brought
    }


def _set(flag: Flag, fields: _Told) -> None:
    """Of a flag of the release only what operators may change of it."""
    may = {*definition_fields.OF_RELEASE, *Standing.__slots__} if flag.builtin else set(fields)
    for name in fields.keys() & may:
        setattr(flag, name, fields[name])
