"""What a flag is: an admin makes, changes and removes those that the release did not bring."""

from collections.abc import Iterable, Mapping
from copy import copy
from datetime import datetime
from typing import Any

from console.access.audit import Actor
from console.access.roles import Role
from console.controls.bounds import confirmed, needs, reason_of
from console.controls.change import Act, change_flags
from console.controls.errors import Refused
from console.flags import definition_fields, guards
from console.flags.changing import Change, locked, rewritten, stamp
from console.flags.models import Flag, Unit
from console.flags.standing import Standing

MOST_FLAGS = 1_000

type _Told = dict[str, Any]


def create(actor: Actor, key: str, fields: Mapping[str, object], *, reason: str) -> Flag:
    """Its baseline on all units: the first variant, unless `fields` name another. Its target is the
    first other one.
    """
    needs(actor, Role.ADMIN, "Creating a flag")
    act = Act(actor=actor, action="create", reason=reason_of(reason))
    key, found = definition_fields.key_of(key), definition_fields.judged(_own(fields))
    made: list[Flag] = []

    def write(revision: int, now: datetime) -> tuple[_Told, _Told]:
        around = guards.Around.look(now)
        if key in around.flags:
            raise Refused("key", key, "new here: a flag of that name is there already")
        if len(around.flags) >= MOST_FLAGS:
            raise Refused("key", key, f"within the {MOST_FLAGS} flags there may be")
        flag = _begun(key, found)
        definition_fields.settle(flag, around.flags)
        guards.judge_definition(None, flag, around)
        flag.staged_at = now
        stamp(flag, act, revision, now)
        flag.save(force_insert=True)
        made.append(flag)
        return {}, told(flag)

    change_flags(act, key, write)
    return made[0]


def edit(
    actor: Actor,
    key: str,
    fields: Mapping[str, object],
    *,
    reason: str,
    based_on: int | None = None,
) -> Flag:
    """What `fields` do not name stays. Of a flag of the release only how its stages bake, and how
    long a time slot is: the rest is the release's word.
    """
    needs(actor, Role.ADMIN, "Editing a flag")
    act = Act(actor=actor, action="edit", reason=reason_of(reason), based_on=based_on)
    found = definition_fields.judged(_own(fields))
    made: list[Flag] = []

    def write(revision: int, now: datetime) -> tuple[_Told, _Told]:
        flag = locked(key, based_on)
        made.append(flag)
        return rewrite(flag, found, act, revision, now)

    change_flags(act, key, write)
    return made[0]


def delete(
    actor: Actor, key: str, *, reason: str, confirm: str = "", based_on: int | None = None
) -> None:
    """Whoever asks gets its own default from then on. `confirm` holds its key."""
    needs(actor, Role.ADMIN, "Deleting a flag")
    act = Act(actor=actor, action="delete", reason=reason_of(reason), based_on=based_on)

    def write(_revision: int, now: datetime) -> tuple[_Told, _Told]:
        flag = locked(key, based_on)
        if flag.builtin:
            raise Refused("flag", key, "one that was created here: the release asks for it")
        around = guards.Around.look(now)
        refuse_required(flag, around.flags.values())
        confirmed(key, confirm)
        guards.judge_definition(flag, None, around)
        before = told(flag)
        flag.delete()
        return before, {}

    change_flags(act, key, write)


def rewrite(
    flag: Flag, found: Mapping[str, Any], act: Act, revision: int, now: datetime
) -> tuple[_Told, _Told]:
    """Writes what is judged already. Caller holds the lock of the revision."""
    before, stood, was = told(flag), Standing.of(flag), copy(flag)
    if flag.builtin:
        for name in found:
            if name not in definition_fields.OF_RELEASE:
                expected = (
                    f"one of {', '.join(definition_fields.OF_RELEASE)}: {flag.key} is the release's"
                )
                raise Refused("fields", name, expected)
    for name, value in found.items():
        setattr(flag, name, value)
    around = guards.Around.look(now)
    definition_fields.settle(flag, around.flags)
    if told(flag) == before:
        raise Refused("fields", ", ".join(found), "a change: the flag is so already")
    guards.judge_definition(was, flag, around)
    rewritten(flag, Change(act=act, key=flag.key), revision, now, stood=stood)
    return before, told(flag)


def refuse_required(flag: Flag, flags: Iterable[Flag]) -> None:
    for other in flags:
        if other.key != flag.key and any(need["flag"] == flag.key for need in other.requires):
            raise Refused("flag", flag.key, f"required by nobody: {other.key} requires it")


def told(flag: Flag) -> _Told:
    """As an audit entry tells it: enough to make it again."""
    names = ("type", "builtin", "wired", *definition_fields.FIELDS, *Standing.__slots__)
    return {name: getattr(flag, name) for name in names}


def _own(fields: Mapping[str, object]) -> Mapping[str, object]:
    for name in fields:
        if name not in definition_fields.FIELDS:
            raise Refused("fields", name, f"one of {', '.join(definition_fields.FIELDS)}")
    return fields


def _begun(key: str, found: Mapping[str, Any]) -> Flag:
    variants: dict[str, Any] = found.get("variants") or {}
    if not variants:
        raise Refused("variants", None, "an object of variants and their values")
    baseline = found.get("baseline", next(iter(variants)))
    others = [name for name in variants if name != baseline]
    unit = found.get("unit", Unit.ITEM.value)
    begun = {
        "title": key,
        "baseline": baseline,
        "rest": baseline,
        "target": others[0] if others else baseline,
        "unit": unit,
        "units": [unit],
    }
    return Flag(key=key, **(begun | dict(found)))
