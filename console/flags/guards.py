"""What stands in the way of a change: wiring, requirements, layers, freezes, drills, capacity."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from console.flags.compiling import Need, all_unmet, unmet
from console.flags.errors import Blocked, Frozen, NotStageable
from console.flags.exceeding import refuse_exceeding
from console.flags.models import Flag, Freeze, Unit
from console.flags.rehearsed import refuse_one_way, refuse_unrehearsed
from console.flags.standing import Standing

type Flags = Mapping[str, Flag]


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a change is judged by, of one moment. `flags`: all, the changed one as it was."""

    flags: Flags
    freezes: tuple[Freeze, ...]

    @classmethod
    def look(cls, now: datetime) -> "Around":
        """Caller holds the lock of the revision, or only wants to know."""
        freezes = Freeze.objects.filter(until__gt=now).order_by("-until")
        return cls(flags=all_flags(), freezes=tuple(freezes))

    def refuse_frozen(self, key: str) -> None:
        _refuse_frozen(key, (one for one in self.freezes if one.key in {key, ""}))


def all_flags() -> dict[str, Flag]:
    return {flag.key: flag for flag in Flag.objects.all()}


def holds_back(key: str, flags: Flags) -> tuple[str, ...]:
    """Those with a stage of their own that would have it, were it not for this one's standing."""
    return held_by(flags, all_unmet(flags)).get(key, ())


def held_by(flags: Flags, missing: Mapping[str, Iterable[Need]]) -> dict[str, tuple[str, ...]]:
    """`holds_back` of each that holds one; `missing`: of `compiling.all_unmet`."""
    found: dict[str, tuple[str, ...]] = {}
    for other in flags.values():
        if other.stage:
            for key in dict.fromkeys(need[0] for need in missing[other.key]):
                found[key] = (*found.get(key, ()), other.key)
    return found


def judge(flag: Flag, new: Standing, now: datetime, *, needs_drill: bool = True) -> None:
    """Of a stage; without `needs_drill` it may lack one, but none may have failed. Raises
    NotStageable, Frozen, Blocked, OneWay, Unrehearsed or Exceeds. Caller holds the lock of the
    revision.
    """
    refuse_unstageable(flag)
    old = Standing.of(flag)
    raises = new.raises(old, flag.baseline)
    if raises and not new.enabled:
        raise NotStageable(
            f"{flag.key} is off: whoever asks gets its own default. Switch it on first."
        )
    if raises or new.enabled != old.enabled or new.brings(old, flag.baseline):
        refuse_frozen(flag.key, now)
    if raises:
        _refuse_unmet(flag, all_flags())
    if not _is_between(old):
        _refuse_second(flag, new, Flag.objects.filter(layer=flag.layer) if flag.layer else ())
    refuse_one_way(flag, old, new)
    if needs_drill:
        refuse_unrehearsed(flag, old, new)
    refuse_exceeding(flag, old, new)


def judge_definition(before: Flag | None, after: Flag | None, around: Around) -> None:
    """Of what a flag is, however it came to be changed: by hand, by a file, or by taking back.

    While frozen nothing changes but how a stage bakes, and a new flag may come at its baseline.
    What requirements hold back is no matter: it waits for them. Raises NotStageable, Frozen,
    Blocked, OneWay or Exceeds.
    """
    if after is None:
        if before is not None:
            around.refuse_frozen(before.key)
        return
    new = Standing.of(after)
    if before is None:
        if after.targeting is not None or new.everyone != after.baseline:
            around.refuse_frozen(after.key)
        _refuse_second(after, new, around.flags.values())
        return
    old = Standing.of(before)
    if before.builtin and new != old:
        refuse_unstageable(before)
        refuse_one_way(after, old, new)
        refuse_exceeding(after, old, new)
    if _is_held_by_freeze(before, after):
        around.refuse_frozen(after.key)
    if not _is_between(old) or after.layer != before.layer:
        _refuse_second(after, new, around.flags.values())


def _is_held_by_freeze(before: Flag, after: Flag) -> bool:
    """Of the release's flags the file of another deployment may lower the stage; and of any how its
    stages bake concerns nobody's variant.
    """
    new, old = Standing.of(after), Standing.of(before)
    slots = (before.slot_s, after.slot_s)
    if new.unit == Unit.TIME_SLOT and _is_between(new) and slots[0] != slots[1]:
        return True
    if before.builtin:
        is_other = new.enabled != old.enabled or new.brings(old, before.baseline)
        return is_other or new.raises(old, before.baseline)
    return any(getattr(before, name) != getattr(after, name) for name in _OF_ITS_UNITS)


# What of a flag that operators brought decides who gets what; the rest is bakes and slots.
_OF_ITS_UNITS = (
    *("title", "description", "variants", "baseline", "target", "rest", "stage", "unit", "units"),
    *("enabled", "fleet", "layer", "requires", "targeting", "metadata"),
)


def refuse_unstageable(flag: Flag) -> None:
    if flag.targeting is not None:
        raise NotStageable(
            f"{flag.key} has targeting of its own, so it has no stage: edit that in its place."
        )
    if flag.builtin and not flag.wired:
        raise NotStageable(
            f"{flag.key} is not wired yet: no part of this release reads it, so a stage of it "
            "would change nothing. It can be staged from the release that wires it on."
        )


def refuse_frozen(key: str, now: datetime) -> None:
    freezes = Freeze.objects.filter(key__in={key, ""}, until__gt=now).order_by("-until")
    _refuse_frozen(key, freezes)


def _refuse_frozen(key: str, freezes: Iterable[Freeze]) -> None:
    """Of its own, and that of all, the one that ends last."""
    for freeze in freezes:
        what = f"{key} is" if freeze.key else "All flags are"
        raise Frozen(
            f"{what} frozen until {freeze.until:%Y-%m-%d %H:%M:%S} UTC by {freeze.actor}: "
            f"{freeze.reason} Lowering a stage and rolling back are free meanwhile; switching off "
            "is not, for then whoever asks gets a default of its own."
        )


def _refuse_unmet(flag: Flag, flags: Flags) -> None:
    for key, variant in unmet(flag, flags):
        now_is = Standing.of(flags[key]).words if key in flags else "not there"
        raise Blocked(
            f"{flag.key} requires {key} at {variant} everywhere, and it is {now_is}: bring that "
            "there first."
        )


def _is_between(one: Standing) -> bool:
    return one.enabled and one.everyone is None


def _refuse_second(flag: Flag, new: Standing, flags: Iterable[Flag]) -> None:
    """Of a layer only one flag may stand between: else nobody can tell which of two did what."""
    if not flag.layer or not _is_between(new):
        return
    for other in flags:
        if other.layer == flag.layer and other.key != flag.key and _is_between(Standing.of(other)):
            raise Blocked(
                f"{other.key} of the same layer ({flag.layer}) stands at {other.stage} %: only one "
                f"of them may stand between 0 and 100. Bring that to an end first, or {flag.key} "
                "to 0 or 100 at once."
            )
