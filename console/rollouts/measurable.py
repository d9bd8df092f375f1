"""Whether anybody could judge a rollout: who tells of it, and who is left to be compared with."""

from typing import Final

from console.controls.errors import Refused
from console.flags import reach
from console.flags.models import Flag, Unit
from console.flags.standing import ALL
from console.rollouts.errors import NotNow

_UNITS: Final = (str(Unit.ITEM), str(Unit.PROCESS))
_FLEETS: Final = ("worker", "web")


def refuse(it: Flag, unit: str) -> None:
    """Raises NotNow or Refused where nobody tells, or all have the same at the same time."""
    if not it.enabled:
        raise NotNow(f"{it.key} is off: whoever asks gets its own default. Switch it on first.")
    if it.fleet == "all":
        raise NotNow(
            f"{it.key} is read by workers and web processes: an item is not to be compared with a "
            "request. Set its stages by hand or plan them, and watch the alerts."
        )
    if it.fleet not in _FLEETS:
        raise NotNow(f"{it.key} is read by other services: what its units do is not measured here.")
    if unit not in _UNITS:
        raise Refused(
            "unit", unit, "item or process: in a time slot all have the same, and none to be "
            "compared with at the same time"
        )  # fmt: skip


def refuse_without_rest(it: Flag, unit: str, *stages: int) -> None:
    """Raises NotNow where a stage is a part of all, and yet no living process is outside it."""
    alive = reach.living()
    for stage in stages:
        found = reach.reach_of(it, stage, unit, alive)
        if stage < ALL and found.treated is not None and found.treated == found.processes:
            noun = "process" if found.processes == 1 else "processes"
            raise NotNow(
                f"{stage} % reaches {found.treated} of {found.processes} {it.fleet} {noun}: nobody "
                "is left to compare with. Set it by hand, or start more of them first."
            )
