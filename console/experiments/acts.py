"""What people do about claims, from a page or over the API: measure one, cancel that."""

from collections.abc import Iterable
from typing import Final

from console.access.audit import Actor
from console.access.roles import Role
from console.controls import ControlError, Refused
from console.controls.bounds import needs, reason_of
from console.experiments import claims, running, tasks
from console.experiments.claims import Claim
from console.experiments.models import Experiment, State
from console.roadmap.effects import LEAST_PAIRS

MOST_PAIRS: Final = 200
MOST_SEED: Final = 2**31 - 1
OPEN: Final = (State.QUEUED, State.RUNNING)


def measure(
    actor: Actor,
    key: str,
    *,
    reason: str,
    pairs: int | None,
    seed: int | None = None,
    offered: Iterable[Claim] | None = None,
) -> Experiment:
    """Waits for its turn beside the fleet. One of a claim at a time: a second would only measure
    the same again. `offered`: of which claims, where not of all. Raises ControlError.
    """
    needs(actor, Role.OPERATOR, "Measuring a claim")
    claim = _claim(key, claims.claims().values() if offered is None else offered)
    if pairs is None or not LEAST_PAIRS <= pairs <= MOST_PAIRS:
        raise Refused("pairs", pairs, f"a whole number of pairs from {LEAST_PAIRS} to {MOST_PAIRS}")
    if seed is not None and not 0 <= seed <= MOST_SEED:
        raise Refused("seed", seed, f"a whole number from 0 to {MOST_SEED}")
    reason = reason_of(reason)
    if (other := open_of(claim)) is not None:
        raise ControlError(f"{other} measures {claim.key} already: it is {other.state}.")
    made = running.make(claim, actor, pairs=pairs, seed=seed, reason=reason)
    tasks.ring(made.pk)
    return made


def cancel(actor: Actor, row: Experiment, *, reason: str) -> None:
    """What was measured of it is kept. Raises ControlError."""
    needs(actor, Role.OPERATOR, "Cancelling an experiment")
    if not running.cancel(row.pk, actor, reason=reason_of(reason)):
        row.refresh_from_db()
        raise ControlError(f"{row} is {row.get_state_display()} by now: nothing to end.")


def open_of(claim: Claim) -> Experiment | None:
    """The one that measures it, or waits to."""
    running.expire()
    return Experiment.objects.filter(claim=claim.key, state__in=OPEN).first()


def _claim(key: str, offered: Iterable[Claim]) -> Claim:
    """Of one that cannot be measured here it is said why."""
    known = {each.key: each for each in offered}
    if key in known:
        return known[key]
    for each in claims.unmeasured():
        if each.key == key:
            raise ControlError(f"{key} cannot be measured here: {each.why}")
    raise Refused("claim", key, f"one of {', '.join(known)}")
