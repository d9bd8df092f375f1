"""What an operator can want. Each act is one row, one revision and one audit entry, or nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from difflib import get_close_matches

from console.access.audit import Actor
from console.access.roles import Role
from console.controls import bounds, names
from console.controls.change import Act, add, change
from console.controls.errors import UnknownBreaker
from console.controls.layers import Layers
from console.controls.orders import Order
from monitoring import snapshots
from validation.models import Control, ControlKind


def override_breaker(
    actor: Actor,
    name: str,
    mode: str,
    *,
    reason: str,
    for_s: float = bounds.DEFAULT_S,
    based_on: int | None = None,
    confirm: str = "",
) -> Order:
    """Puts `mode` over what the breaker does by itself, in every process, for `for_s` seconds.

    To force it open, `confirm` holds its name.
    """
    bounds.needs(actor, Role.OPERATOR, "Overriding a breaker")
    _known(name)
    mode = bounds.mode_of(mode)
    ends = timedelta(seconds=bounds.span_of(for_s))
    act = Act(actor=actor, action=mode, reason=bounds.reason_of(reason), based_on=based_on)
    if mode == "forced_open":
        bounds.confirmed(name, confirm)

    def forced(layers: Layers, now: datetime) -> Layers:
        return replace(layers, mode=mode, expires_at=now + ends)

    return change(act, ControlKind.BREAKER, name, forced)


def release_breaker(actor: Actor, name: str, *, reason: str, based_on: int | None = None) -> Order:
    """Ends what is forced and what is tuned for a time; lasting thresholds stay."""
    bounds.needs(actor, Role.OPERATOR, "Releasing a breaker")
    _known(name)
    act = Act(actor=actor, action="auto", reason=bounds.reason_of(reason), based_on=based_on)

    def released(layers: Layers, _: datetime) -> Layers:
        return Layers(lasting=layers.lasting)

    return change(act, ControlKind.BREAKER, name, released)


def reset_breaker(actor: Actor, name: str, *, reason: str, based_on: int | None = None) -> Order:
    """Each process that has the breaker starts it afresh, closed; what is forced stays forced."""
    bounds.needs(actor, Role.OPERATOR, "Resetting a breaker")
    _known(name)
    act = Act(actor=actor, action="reset", reason=bounds.reason_of(reason), based_on=based_on)
    return change(act, ControlKind.BREAKER, name, lambda layers, _: layers, reset=True)


def tune_breaker(
    actor: Actor,
    name: str,
    settings: Mapping[str, object],
    *,
    reason: str,
    for_s: float | None = bounds.DEFAULT_S,
    based_on: int | None = None,
) -> Order:
    """Puts `settings` in place of those tuned for a time before; without any, those end.

    `for_s` None: they last, in place of those that lasted, and those of the same names that were
    tuned for a time end; an admin alone may want it.
    """
    _known(name)
    found = bounds.thresholds_of(settings)
    what = _Tuning(actor=actor, reason=reason, for_s=for_s, based_on=based_on)
    return _tune(what, ControlKind.BREAKER, name, found)


def resize_l1(
    actor: Actor,
    settings: Mapping[str, object],
    *,
    reason: str,
    for_s: float | None = bounds.DEFAULT_S,
    based_on: int | None = None,
) -> Order:
    """As `tune_breaker`, for `max_entries` and `max_bytes` of the L1 of every worker."""
    found = bounds.sizes_of(settings)
    what = _Tuning(actor=actor, reason=reason, for_s=for_s, based_on=based_on)
    return _tune(what, ControlKind.L1, "", found)


def purge(actor: Actor, tag: str, *, reason: str, confirm: str = "") -> int:
    """Drops from both tiers, in every process, what carries `tag`. `confirm` holds it again."""
    bounds.needs(actor, Role.OPERATOR, "Purging")
    tag = bounds.tag_of(tag)
    act = Act(actor=actor, action="purge", reason=bounds.reason_of(reason))
    bounds.confirmed(tag, confirm)
    return add(act, ControlKind.PURGE, tag)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tuning:
    actor: Actor
    reason: str
    for_s: float | None
    based_on: int | None


def _tune(asked: _Tuning, kind: str, name: str, settings: dict[str, float]) -> Order:
    action, what = ("tune", "Thresholds") if name else ("resize", "Sizes")
    if asked.for_s is None:
        bounds.needs(asked.actor, Role.ADMIN, f"{what} that last")
    bounds.needs(asked.actor, Role.OPERATOR, f"{what} for a time")
    ends = None if asked.for_s is None else timedelta(seconds=bounds.span_of(asked.for_s))
    act = Act(
        actor=asked.actor,
        action=action,
        reason=bounds.reason_of(asked.reason),
        based_on=asked.based_on,
    )

    def tuned(layers: Layers, now: datetime) -> Layers:
        if ends is not None:
            return layers.tuned(settings, now + ends)
        # What was tuned for a time would hide what is now to last, until it ended.
        rest = {key: value for key, value in layers.settings.items() if key not in settings}
        return replace(layers.tuned(rest, layers.tuned_until), lasting=settings)

    return change(act, kind, name, tuned)


def _known(name: str) -> None:
    """Raises UnknownBreaker: a typing error would be wanted in vain, and look as if it held."""
    if name in (known := names.configured()):
        return
    if name.isprintable() and Control.objects.filter(kind=ControlKind.BREAKER, name=name).exists():
        return
    known |= {report.name for worker in snapshots.workers() or () for report in worker.breakers}
    if name not in known:
        near = get_close_matches(name, sorted(known), n=3, cutoff=0.3) or sorted(known)[:3]
        raise UnknownBreaker(f"There is no breaker {name[:160]!r}: did you mean {', '.join(near)}?")
