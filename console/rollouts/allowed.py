"""What may be done to a rollout by how it stands: what is offered is what is not refused."""

from typing import Final

from console.rollouts.models import HeldFor, State

_BY_HAND: Final = ("promote", "resume", "abort")
_BY_ITSELF: Final = ("promote", "hold", "abort")
_ACTS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    (State.REHEARSING, HeldFor.NOTHING): ("abort",),
    (State.RUNNING, HeldFor.NOTHING): _BY_ITSELF,
    (State.HELD, HeldFor.OPERATOR): _BY_HAND,
    # It is resumed when all is told again, or by nobody.
    (State.HELD, HeldFor.MISSING): _BY_ITSELF,
    (State.HELD, HeldFor.REFUSED): ("promote", "hold", "resume", "abort"),
    # It stays where it is; who lets all go on holds it for an operator.
    (State.STOPPED, HeldFor.NOTHING): ("promote", "abort"),
}


def acts(state: str, held_for: str, next_stage: int | None) -> tuple[str, ...]:
    found = _ACTS.get((state, held_for), ())
    return found if next_stage is not None else tuple(one for one in found if one != "promote")
