"""What stands in the way of a change: wiring, requirements, layers and freezes."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from console.flags.compiling import unmet
from console.flags.errors import Blocked, Frozen, NotStageable
from console.flags.models import Flag, Freeze
from console.flags.standing import ALL, Standing

type Flags = Mapping[str, Flag]


def all_flags() -> dict[str, Flag]:
    return {flag.key: flag for flag in Flag.objects.all()}


def holds_back(key: str, flags: Flags) -> tuple[str, ...]:
    """Those with a stage of their own that would have it, were it not for this one's standing."""
    return tuple(
        other.key
        for other in flags.values()
        if other.stage and any(need[0] == key for need in unmet(other, flags))
    )


def judge(flag: Flag, new: Standing, now: datetime) -> None:
    """Raises NotStageable, Frozen or Blocked. Caller holds the lock of the revision."""
    refuse_unstageable(flag)
    old = Standing.of(flag)
    raises = new.raises(old, flag.baseline)
    if raises and not new.enabled:
        raise NotStageable(
            f"{flag.key} is off: whoever asks gets its own default. Switch it on first."
        )
    if raises or new.enabled != old.enabled:
        refuse_frozen(flag.key, now)
    if raises:
        _refuse_unmet(flag, all_flags())
    refuse_second(flag, new)


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


def freezes_of(key: str, now: datetime) -> Iterable[Freeze]:
    """Its own, and that of all; the one that ends last first."""
    return Freeze.objects.filter(key__in={key, ""}, until__gt=now).order_by("-until")


def refuse_frozen(key: str, now: datetime) -> None:
    for freeze in freezes_of(key, now):
        what = f"{key} is" if freeze.key else "All flags are"
        raise Frozen(
            f"{what} frozen until {freeze.until:%Y-%m-%d %H:%M:%S} UTC by {freeze.actor}: "
            f"{freeze.reason} Lowering a stage and rolling back are free meanwhile."
        )


def _refuse_unmet(flag: Flag, flags: Flags) -> None:
    for key, variant in unmet(flag, flags):
        now_is = Standing.of(flags[key]).words if key in flags else "not there"
        raise Blocked(
            f"{flag.key} requires {key} at {variant} everywhere, and it is {now_is}: bring that "
            "there first."
        )


def refuse_second(flag: Flag, new: Standing) -> None:
    """Of a layer only one flag may stand between: else nobody can tell which of two did what."""
    if not flag.layer or new.everyone is not None or not new.enabled:
        return
    others = Flag.objects.filter(layer=flag.layer, enabled=True, stage__gt=0, stage__lt=ALL)
    for other in others.exclude(key=flag.key):
        if other.is_partial:
            raise Blocked(
                f"{other.key} of the same layer ({flag.layer}) stands at {other.stage} %: only one "
                f"of them may stand between 0 and 100. Bring that to an end first, or {flag.key} "
                "to 0 or 100 at once."
            )
