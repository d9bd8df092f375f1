"""What may be done to a flag: stages, rolling back, on and off; see `definition_acts` for more."""

from datetime import datetime

from console.access.audit import Actor
from console.access.roles import Role
from console.controls.bounds import needs, reason_of
from console.controls.change import Act
from console.flags import bounds
from console.flags.changing import Change, restage
from console.flags.models import Flag
from console.flags.standing import Standing


def set_stage(
    actor: Actor,
    key: str,
    *,
    stage: int,
    target: str | None = None,
    rest: str | None = None,
    unit: str | None = None,
    unrehearsed: bool = False,
    reason: str,
    based_on: int | None = None,
) -> Flag:
    """`stage` percent of the units get `target`, the others `rest`.

    What is None stays, but for the rest of another target: that is the baseline. Raising is refused
    while frozen, while a requirement is not in force, and while another flag of the layer stands
    between, and so is what no unit has yet and no drill came back from, but for an admin who says
    that it is `unrehearsed`; lowering is free.
    """
    needs(actor, Role.OPERATOR, "Moving a stage")
    if unrehearsed:
        needs(actor, Role.ADMIN, "Going without a drill")
    act = Act(actor=actor, action="stage", reason=reason_of(reason), based_on=based_on)
    return restage(
        Change(act=act, key=key, unrehearsed=unrehearsed),
        lambda flag, _: wanted(flag, stage=stage, target=target, rest=rest, unit=unit),
    )


def wanted(
    flag: Flag,
    *,
    stage: int,
    target: str | None = None,
    rest: str | None = None,
    unit: str | None = None,
) -> Standing:
    """How the flag would stand, as `set_stage` means it; raises Refused."""
    other = target is not None and target != flag.target
    if rest is None:
        rest = flag.baseline if other else flag.rest
    return Standing(
        target=bounds.variant_of(flag, flag.target if target is None else target, "target"),
        rest=bounds.variant_of(flag, rest, "rest"),
        stage=bounds.stage_of(stage),
        unit=bounds.unit_of(flag, str(flag.unit) if unit is None else unit),
        enabled=flag.enabled,
    )


def roll_back(actor: Actor, key: str, *, reason: str, based_on: int | None = None) -> Flag:
    """All units get the baseline; the target is kept for another try."""
    needs(actor, Role.OPERATOR, "Rolling back a flag")
    act = Act(actor=actor, action="roll_back", reason=reason_of(reason), based_on=based_on)
    return restage(
        Change(act=act, key=key), lambda flag, _: wanted(flag, stage=0, rest=flag.baseline)
    )


def enable(actor: Actor, key: str, *, reason: str, based_on: int | None = None) -> Flag:
    """Whoever asks gets its variants again, as they stand."""
    return _switch(actor, key, on=True, reason=reason, based_on=based_on)


def disable(actor: Actor, key: str, *, reason: str, based_on: int | None = None) -> Flag:
    """Whoever asks gets its own default, which for a flag of this release is what it ships with."""
    return _switch(actor, key, on=False, reason=reason, based_on=based_on)


def _switch(actor: Actor, key: str, *, on: bool, reason: str, based_on: int | None) -> Flag:
    action = "enable" if on else "disable"
    needs(actor, Role.ADMIN, "Switching a flag on or off")
    act = Act(actor=actor, action=action, reason=reason_of(reason), based_on=based_on)

    def switched(flag: Flag, _: datetime) -> Standing:
        return Standing.from_json(Standing.of(flag).as_json() | {"enabled": on})

    return restage(Change(act=act, key=key, unrehearsed=True), switched)
