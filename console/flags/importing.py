"""Takes flags from a file of flagd's format: all of it or nothing, each a change of its own."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from console.access.audit import Actor
from console.access.roles import Role
from console.controls.bounds import needs, reason_of
from console.controls.change import Act, change_flags
from console.controls.errors import Refused
from console.flags import defined, defining, guards
from console.flags.changing import Change, carry_plan, stamp
from console.flags.compiling import compiled
from console.flags.models import Flag
from console.flags.standing import ALL, Standing

# What an export of ours says besides; a file of anybody else's may say some of it too.
_TEXTS = ("title", "description", "fleet", "layer", "unit", "baseline", "target", "rest", "slot_s")
_JSON = ("units", "requires", "bake_s")
_STATES = {"ENABLED": True, "DISABLED": False}
# Of an export, and of no use to who reads it: each deployment has its own.
_OURS = {*_TEXTS, *_JSON, "stage", "wanted_stage", "held", "type", "builtin", "wired"}
_OURS |= {"revision", "order"}

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
    found = Imported()
    with transaction.atomic():
        for key, fields in _in_order(_entries(document)):
            getattr(found, _bring(act, key, fields)).append(key)
    return found


def _entries(document: Mapping[str, Any]) -> dict[str, _Told]:
    entries = document.get("flags")
    if not isinstance(entries, dict) or len(entries) > defining.MOST_FLAGS:
        expected = f"an object of at most {defining.MOST_FLAGS} flags, as flagd's format has it"
        raise Refused("flags", type(entries).__name__, expected)
    if document.get("$evaluators"):
        raise Refused("$evaluators", "…", "supported: write what they say into each targeting")
    return {defined.key_of(key): _fields_of(key, entry) for key, entry in entries.items()}


def _fields_of(key: str, entry: object) -> _Told:
    """As `defined.judged` takes them, and `enabled`."""
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
        "metadata": {name: value for name, value in metadata.items() if name not in _OURS},
    }
    fields |= {name: metadata[name] for name in _TEXTS if name in metadata}
    fields |= {name: _loaded(key, name, metadata[name]) for name in _JSON if name in metadata}
    judged = defined.judged(fields) | {"enabled": _STATES[entry["state"]]}
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
    return defined.judged({"targeting": given})["targeting"]


def _in_order(entries: Mapping[str, _Told]) -> Iterator[tuple[str, _Told]]:
    """What others require before them; a circle comes as it is, and is refused."""
    left = dict(entries)
    while left:
        ready = [
            key
            for key, fields in left.items()
            if not any(need["flag"] in left for need in fields.get("requires", ()))
        ]
        for key in ready or list(left):
            yield key, left.pop(key)


def _bring(act: Act, key: str, fields: _Told) -> str:
    outcome = "unchanged"
    there = Flag.objects.filter(pk=key).first()
    if there is not None and not _differs(there, fields):
        return outcome

    def write(revision: int, now: datetime) -> tuple[_Told, _Told]:
        nonlocal outcome
        flag = Flag.objects.select_for_update().filter(pk=key).first()
        outcome = "edited" if flag else "created"
        before = defining.told(flag) if flag else {}
        flag = flag or Flag(key=key, target="", rest="", baseline="", variants={})
        _judge(flag, fields, now)
        _set(flag, fields)
        defined.settle(flag)
        flag.staged_at = now
        stamp(flag, act, revision, now)
        flag.save()
        carry_plan(flag, Change(act=act, key=key), now)
        return before, defining.told(flag)

    change_flags(act, key, write)
    return outcome


def _differs(flag: Flag, fields: _Told) -> bool:
    before = defining.told(flag)
    _set(flag, fields)
    return defining.told(flag) != before


def _set(flag: Flag, fields: _Told) -> None:
    """Of a flag of the release only what operators may change of it."""
    may = {*defined.OF_RELEASE, *Standing.__slots__} if flag.builtin else set(fields)
    for name in fields.keys() & may:
        setattr(flag, name, fields[name])


def _judge(flag: Flag, fields: _Told, now: datetime) -> None:
    """As of any change, but for requirements: what they hold back waits for them."""
    old = Standing.of(flag)
    new = Standing.from_json(
        old.as_json() | {k: v for k, v in fields.items() if k in old.__slots__}
    )
    if flag.builtin:
        if new == old:
            return
        guards.refuse_unstageable(flag)
    if new.raises(old, flag.baseline) or new.enabled != old.enabled or not flag.builtin:
        guards.refuse_frozen(flag.key, now)
    if 0 < new.stage < ALL:
        probe = Flag(key=flag.key, layer=fields.get("layer", flag.layer))
        guards.refuse_second(probe, new)
