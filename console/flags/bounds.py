"""What may be wanted of a flag: stages, variants, units and times, each within its bounds."""

from datetime import datetime, timedelta

from console.controls.bounds import reason_of as reason_of  # noqa: PLC0414 - given on as ours
from console.controls.errors import Refused
from console.flags.models import Flag
from console.flags.standing import ALL

# Those that a page offers, and a plan goes through; any whole percent is taken.
STAGES = (0, 5, 25, 50, ALL)
LONGEST_FREEZE = timedelta(days=14)
MOST_STEPS = 20
LONGEST_PLAN = timedelta(days=60)


def stage_of(stage: object, field: str = "stage") -> int:
    if isinstance(stage, bool) or not isinstance(stage, int) or not 0 <= stage <= ALL:
        raise Refused(field, stage, "a whole percent from 0 to 100")
    return stage


def variant_of(flag: Flag, variant: str, field: str) -> str:
    if variant not in flag.variants:
        raise Refused(field, variant, f"one of {', '.join(flag.variants)}")
    return variant


def unit_of(flag: Flag, unit: str) -> str:
    if unit not in (known := flag.units or [flag.unit]):
        raise Refused("unit", unit, f"one of {', '.join(known)}")
    return unit


def end_of(until: datetime, now: datetime) -> datetime:
    """Of a freeze."""
    if until.tzinfo is None or not now < until <= now + LONGEST_FREEZE:
        raise Refused(
            "until", until.isoformat(), f"a time with its zone within {LONGEST_FREEZE.days} days"
        )
    return until
