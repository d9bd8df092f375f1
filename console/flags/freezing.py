"""Until when nothing may be raised: of one flag, or of all. It ends by itself."""

from datetime import datetime
from typing import Any

from console.access.audit import Actor
from console.access.roles import Role
from console.controls.bounds import needs, reason_of
from console.controls.change import Act, change_flags
from console.controls.errors import Refused, UnknownFlag
from console.flags import bounds
from console.flags.models import Flag, Freeze

type _Told = dict[str, Any]


def freeze(actor: Actor, key: str, until: datetime, *, reason: str) -> Freeze:
    """Of `key`, or of all flags where that is ""; in the place of one before it."""
    needs(actor, Role.OPERATOR, "Freezing flags")
    act = Act(actor=actor, action="freeze", reason=reason_of(reason))
    made: list[Freeze] = []

    def write(_: int, now: datetime) -> tuple[_Told, _Told]:
        _known(key)
        before = _told(standing(key, now))
        fields = {
            "until": bounds.end_of(until, now),
            "reason": act.reason,
            "actor": actor.name,
            "changed_at": now,
        }
        made.append(Freeze.objects.update_or_create(key=key, defaults=fields)[0])
        return before, _told(made[0])

    change_flags(act, key, write)
    return made[0]


def thaw(actor: Actor, key: str, *, reason: str) -> None:
    """Ends a freeze before its time. That of all flags does not end those of single ones."""
    needs(actor, Role.OPERATOR, "Ending a freeze")
    act = Act(actor=actor, action="thaw", reason=reason_of(reason))

    def write(_: int, now: datetime) -> tuple[_Told, _Told]:
        _known(key)
        found = standing(key, now)
        if found is None:
            raise Refused("flag", key or "all flags", "frozen: there is nothing to end")
        before = _told(found)
        found.delete()
        return before, _told(None)

    change_flags(act, key, write)


def standing(key: str, now: datetime) -> Freeze | None:
    return Freeze.objects.filter(key=key, until__gt=now).first()


def _known(key: str) -> None:
    if key and not Flag.objects.filter(pk=key).exists():
        raise UnknownFlag(f"There is no flag {key[:160]!r}: /flags/ lists them.")


def _told(frozen: Freeze | None) -> _Told:
    return {"frozen_until": frozen.until.isoformat() if frozen else None}
