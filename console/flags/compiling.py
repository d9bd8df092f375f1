"""Flags as flagd reads them: a stage becomes targeting that any evaluator of its format decides.

Pure: the same flags give the same document. What one variant has as the stage rises it keeps,
because the target stands first in the split of each unit.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from console.flags.models import Flag, Unit
from console.flags.states import BASELINE, EVERYWHERE, FlagState

SCHEMA: Final = "https://flagd.dev/schema/v0/flags.json"
FLAG_SET: Final = "switchyard"

# What of a flag's metadata is ours; the rest is the flag's own.
TOLD: Final = frozenset(
    {
        *("title", "description", "type", "unit", "units", "slot_s", "stage", "target", "rest"),
        *("baseline", "fleet", "layer", "requires", "bake_s", "builtin", "wired", "revision"),
        *("held", "wanted_stage", "order"),
    }
)

type Known = Mapping[str, Flag | FlagState]
type Need = tuple[str, str]
"""A flag and the variant that is to be in force everywhere."""


def flag_set(flags: Iterable[Flag | FlagState], *, revision: int = 0) -> dict[str, Any]:
    """The whole document, each flag held back whose requirements are not in force everywhere."""
    known = {flag.key: flag for flag in flags}
    missing = all_unmet(known)
    return {
        "$schema": SCHEMA,
        "metadata": {"flagSetId": FLAG_SET, "version": str(revision), "revision": revision},
        "flags": {
            key: compiled(flag, held=bool(missing[key])) for key, flag in sorted(known.items())
        },
    }


def compiled(flag: Flag | FlagState, held: bool = False) -> dict[str, Any]:
    """One flag of flagd's format; `held`: as at stage 0, whatever its stage is."""
    stage = effective_stage(flag, held=held)
    found: dict[str, Any] = {
        "state": "ENABLED" if flag.enabled else "DISABLED",
        "variants": dict(flag.variants),
        "defaultVariant": flag.target if _is_everywhere(flag, stage) else flag.rest,
        "metadata": _metadata(flag, stage, held=held),
    }
    targeting = flag.targeting or _split(flag, stage)
    if targeting:
        found["targeting"] = targeting
    return found


def effective_stage(flag: Flag | FlagState, *, held: bool) -> int:
    return BASELINE if held or flag.targeting else flag.stage


def is_held(flag: Flag | FlagState, known: Known) -> bool:
    """Whether a flag that it requires is not in force everywhere."""
    return bool(unmet(flag, known))


def unmet(flag: Flag | FlagState, known: Known) -> list[Need]:
    """The requirements that hold it back. Of many flags: `all_unmet`."""
    return all_unmet({**known, flag.key: flag})[flag.key]


def all_unmet(known: Known) -> dict[str, list[Need]]:
    """Of each flag the requirements that hold it back. Each is looked at once, after those that it
    requires. One that is not there is not in force; neither is one that waits for itself.
    """
    waiting = {
        key: {need["flag"] for need in one.requires} & known.keys() for key, one in known.items()
    }
    users: dict[str, list[str]] = {}
    for key, needed in waiting.items():
        for other in needed:
            users.setdefault(other, []).append(key)
    ready = [key for key, needed in waiting.items() if not needed]
    found: dict[str, list[Need]] = {}
    while ready:
        key = ready.pop()
        found[key] = _unmet(known[key], known, found)
        for user in users.get(key, ()):
            waiting[user].discard(key)
            if not waiting[user]:
                ready.append(user)
    circling = {key: _unmet(known[key], known, found) for key in known.keys() - found.keys()}
    return found | circling


def _unmet(flag: Flag | FlagState, known: Known, found: Mapping[str, list[Need]]) -> list[Need]:
    needs = ((need["flag"], need["variant"]) for need in flag.requires)
    return [
        (key, variant)
        for key, variant in needs
        if key not in found or not _is_in_force(known[key], variant, held=bool(found[key]))
    ]


def _is_in_force(flag: Flag | FlagState, variant: str, *, held: bool) -> bool:
    """On every unit."""
    if not flag.enabled or flag.targeting:
        return False
    stage = effective_stage(flag, held=held)
    if _is_everywhere(flag, stage):
        return flag.target == variant
    return flag.rest == variant and (stage == BASELINE or flag.target == variant)


def _is_everywhere(flag: Flag | FlagState, stage: int) -> bool:
    return stage >= EVERYWHERE and not flag.targeting


def _split(flag: Flag | FlagState, stage: int) -> dict[str, Any] | None:
    if stage <= BASELINE or stage >= EVERYWHERE or flag.target == flag.rest:
        return None
    return _SPLITS[Unit(flag.unit)](flag, stage)


def _shares(flag: Flag | FlagState, stage: int) -> list[list[str | int]]:
    """The target first: its share grows into the rest's, and nobody loses it."""
    return [[flag.target, stage], [flag.rest, EVERYWHERE - stage]]


def _of_items(flag: Flag | FlagState, stage: int) -> dict[str, Any]:
    """By the hash of flag and targeting key. Who has no key gets the default variant, unlogged."""
    split = {"fractional": _shares(flag, stage)}
    return {"if": [{"var": "targetingKey"}, split]}


def _of_processes(flag: Flag | FlagState, stage: int) -> dict[str, Any]:
    """The first `ceil(stage * N / 100)` of `processes` by their `rank`, which counts from 0."""
    is_within = {"<": [{"*": [{"var": "rank"}, 100]}, {"*": [stage, {"var": "processes"}]}]}
    no_process = {"missing": ["rank", "processes"]}
    return {"if": [no_process, flag.rest, is_within, flag.target, flag.rest]}


def _of_time_slots(flag: Flag | FlagState, stage: int) -> dict[str, Any]:
    """By the hash of flag and the second at which the slot began."""
    now = {"var": "$flagd.timestamp"}
    began = {"-": [now, {"%": [now, flag.slot_s]}]}
    slot = {"cat": [{"var": "$flagd.flagKey"}, "/", began]}
    return {"fractional": [slot, *_shares(flag, stage)]}


_SPLITS = {Unit.ITEM: _of_items, Unit.PROCESS: _of_processes, Unit.TIME_SLOT: _of_time_slots}


def _metadata(flag: Flag | FlagState, stage: int, *, held: bool) -> dict[str, Any]:
    """What flagd carries with each answer: scalars only, so lists and objects go as JSON's text.

    `stage` is the one that holds; of a flag that is held back, `wanted_stage` says its own.
    """
    found = {
        **flag.metadata,
        "title": flag.title,
        "description": flag.description,
        "type": flag.type,
        "unit": str(flag.unit),
        "units": _text(list(flag.units)),
        "slot_s": flag.slot_s,
        "stage": stage,
        "target": flag.target,
        "rest": flag.rest,
        "baseline": flag.baseline,
        "fleet": flag.fleet,
        "layer": flag.layer,
        "requires": _text(list(flag.requires)),
        "bake_s": _text(dict(flag.bake_s)),
        "builtin": flag.builtin,
        "wired": flag.wired,
        "revision": flag.revision,
    }
    if held or stage != flag.stage:
        found |= {"held": held, "wanted_stage": flag.stage}
    return found


def _text(value: list[Any] | dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
