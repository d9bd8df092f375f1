"""Brings the catalogue of a release into the table of flags, and leaves what operators wanted.

After each migration, and any number of times: what is as it should be is not written.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from django.db import transaction

from console.access import audit
from console.access.audit import Actor
from console.access.roles import Role
from console.controls.change import hold_revision, next_revision
from console.flags.catalogue import BAKE_S, CATALOGUE, Definition
from console.flags.models import Flag
from monitoring import events
from validation.models import Control, ControlKind

# Who an audit entry names where no person did it.
_RELEASE: Final = Actor(name="release", role=Role.ADMIN, origin="cli")
_BROUGHT: Final = "Brought by the release."
_WRITTEN: Final = (
    *("title", "description", "type", "variants", "baseline", "units", "fleet", "layer"),
    *("requires", "builtin", "wired", "target", "rest", "stage", "unit", "reason", "actor"),
    *("revision", "changed_at", "staged_at"),
)

log = structlog.get_logger(__name__)


def load(catalogue: Iterable[Definition] = CATALOGUE) -> list[str]:
    """The keys that were written. One that an operator made under a name of the release becomes
    the release's; one that the release no longer brings stays, as nobody's.
    """
    definitions = {definition.key: definition for definition in catalogue}
    with transaction.atomic():
        hold_revision()
        there = {flag.key: flag for flag in Flag.objects.select_for_update().order_by("key")}
        new = [_new(each) for key, each in definitions.items() if key not in there]
        changes = [_brought(flag, definitions.get(key)) for key, flag in there.items()]
        changed = [change for change in changes if change is not None]
        if new or changed:
            _write(new, changed)
    return sorted((*(flag.key for flag in new), *(each.flag.key for each in changed)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """A row that was changed. `before`: how it stood, where it could not go on standing so."""

    flag: Flag
    before: Mapping[str, Any] | None = None


def _new(definition: Definition) -> Flag:
    """As this release ships it: on all its units, or its baseline on all."""
    is_baseline = definition.ships == definition.baseline
    target = _other(definition) if is_baseline else definition.ships
    return Flag(
        key=definition.key,
        **_given(definition),
        target=target,
        rest=definition.baseline,
        stage=0 if is_baseline else 100,
        unit=definition.unit,
        bake_s={str(stage): seconds for stage, seconds in BAKE_S.items()},
        reason=_BROUGHT,
        actor=_RELEASE.name,
    )


def _other(definition: Definition) -> str:
    """What a flag that ships at its baseline would be raised to: its first other variant."""
    return next(name for name in definition.variants if name != definition.baseline)


def _given(definition: Definition) -> dict[str, Any]:
    """What the release says of a flag, and operators do not."""
    return {
        "title": definition.title,
        "description": definition.description,
        "type": definition.type,
        "variants": dict(definition.variants),
        "baseline": definition.baseline,
        "units": [unit.value for unit in definition.units],
        "fleet": definition.fleet,
        "layer": definition.layer,
        "requires": [{"flag": flag, "variant": variant} for flag, variant in definition.requires],
        "builtin": True,
        "wired": definition.wired,
    }


def _brought(flag: Flag, definition: Definition | None) -> _Change | None:
    """Makes the row what the release says of it; None where it is that already."""
    if definition is None:
        return _left(flag)
    given = _given(definition)
    is_new = any(getattr(flag, name) != value for name, value in given.items())
    for name, value in given.items():
        setattr(flag, name, value)
    before = _standing(flag)
    is_possible = {flag.target, flag.rest} <= definition.variants.keys()
    if is_possible and flag.unit in given["units"]:
        return _Change(flag=flag) if is_new else None
    flag.reason = _said(flag, definition)[:500]
    flag.target, flag.rest, flag.stage = _other(definition), definition.baseline, 0
    flag.unit = definition.unit
    flag.actor = _RELEASE.name
    log.warning("flags.back_at_baseline", flag=flag.key, reason=flag.reason)
    return _Change(flag=flag, before=before)


def _left(flag: Flag) -> _Change | None:
    """A flag that no release brings any more: an admin may delete it."""
    if not flag.builtin:
        return None
    flag.builtin = flag.wired = False
    return _Change(flag=flag)


def _standing(flag: Flag) -> dict[str, Any]:
    return {name: getattr(flag, name) for name in ("target", "rest", "stage", "unit")}


def _said(flag: Flag, definition: Definition) -> str:
    gone = sorted({flag.target, flag.rest} - definition.variants.keys())
    what = f"variant {' and '.join(gone)}" if gone else f"stages by {flag.unit}"
    return f"This release has no {what} of it: back at the baseline, {definition.baseline}."


def _write(new: Sequence[Flag], changed: Sequence[_Change]) -> None:
    """Flags that nobody changed yet are at revision 0. Where one stands otherwise now it takes the
    next, as at any change. Other words of the release about it are no change of how it stands:
    who saw it, and what is planned for it, goes on; processes read them by the revision of all.
    """
    Flag.objects.bulk_create(new)
    if changed:
        revision, now = next_revision()
        for each in changed:
            if each.before is not None:
                each.flag.revision, each.flag.changed_at = revision, now
                each.flag.staged_at = now
                _record(each.flag, each.before)
        Flag.objects.bulk_update([each.flag for each in changed], _WRITTEN)
        row = {"revision": revision, "reason": _BROUGHT, "actor": _RELEASE.name}
        named: dict[str, Any] = {"kind": ControlKind.FLAGS, "name": ""}
        Control.objects.update_or_create(defaults=row | {"changed_at": now}, **named)
    transaction.on_commit(lambda: events.publish("controls", "flags"))


def _record(flag: Flag, before: Mapping[str, Any]) -> None:
    audit.record(
        _RELEASE,
        "baseline",
        kind="flags",
        target=flag.key,
        before=before,
        after=_standing(flag),
        reason=flag.reason,
        revision=flag.revision,
    )
