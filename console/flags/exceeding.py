"""Refuses a stage that would break a limit of the deployment, before anybody has the variant."""

from console.capacity.foreseeing import foresee
from console.capacity.limit import Limit
from console.flags.errors import Exceeds
from console.flags.models import Flag, Unit
from console.flags.standing import ALL, Standing


def refuse_exceeding(flag: Flag, old: Standing, new: Standing) -> None:
    """Lowering a stage and rolling back are free, whatever the baseline takes. Raises Exceeds."""
    if not new.enabled or _is_lower(flag, old, new):
        return
    for variant, percent in ((new.target, new.stage), (new.rest, ALL - new.stage)):
        before = old.share(variant) if old.enabled else 0
        if percent <= before:
            continue
        # By time it is everybody's turn at once.
        at_once = ALL if new.unit == Unit.TIME_SLOT else percent
        if broken := foresee(flag.key, variant, percent=at_once):
            raise Exceeds(_said(flag, variant, percent, broken))


def _is_lower(flag: Flag, old: Standing, new: Standing) -> bool:
    if not old.enabled:
        return False
    if new.stage == 0 and new.rest in {flag.baseline, old.rest}:
        return True
    same = (new.target, new.rest, new.unit) == (old.target, old.rest, old.unit)
    return same and new.stage <= old.stage


def _said(flag: Flag, variant: str, percent: int, broken: tuple[Limit, ...]) -> str:
    first = broken[0]
    if first.holds is None:
        return (
            f"{flag.key} at {variant} on {percent} % is not given to anybody: whether it fits is "
            f"not known, and no data is never fine. {first.title}: {first.explains} /capacity/ "
            "shows what is known; lowering a stage and rolling back are free."
        )
    more = f" So would {len(broken) - 1} more." if len(broken) > 1 else ""
    mends = f" {first.fix} would make room." if first.fix else ""
    return (
        f"{flag.key} at {variant} on {percent} % would break a limit: {first.title.lower()} would "
        f"be {first.uses:g} of {first.allows:g} {first.unit}. {first.explains}{mends}{more} "
        "/capacity/ shows all limits."
    )
