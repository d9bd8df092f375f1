"""Which flags can be rehearsed, and of the others why not."""

from collections.abc import Mapping
from typing import Final

from console.controls.errors import ControlError, Refused
from console.flags.catalogue import BY_KEY, DB_POOL_FORMULA, REPLICA_ROUTING

WHY_NOT: Final[Mapping[str, str]] = {
    DB_POOL_FORMULA.key: (
        "A pool of a drill's own would take the connections that the deployment's pools need, and "
        "a smaller one would show nothing of its size: /capacity/ says what a variant takes."
    ),
    REPLICA_ROUTING.key: (
        "It only says from which of the deployment's replicas a web process reads, anew for each "
        "read: a drill has no replicas of its own, and nothing that it writes could be left behind."
    ),
}


class NotRehearsable(ControlError):
    """No drill could show anything of it."""


def why_not(flag: str) -> str:
    """A sentence; "" where it can be rehearsed."""
    definition = BY_KEY.get(flag)
    if definition is None:
        return (
            f"{flag[:100]} is no flag of this release: no part of it reads the flag, so there is "
            "nothing to rehearse here."
        )
    if not definition.wired:
        return f"{flag} is not wired yet: no part of this release reads it."
    return f"{flag} cannot be rehearsed. {WHY_NOT[flag]}" if flag in WHY_NOT else ""


def baseline_of(flag: str, target: str) -> str:
    """What a drill of this target comes back to. Raises NotRehearsable and Refused."""
    if not flag:
        raise Refused("flag", flag, "the key of a flag: /flags/ lists them")
    if why := why_not(flag):
        raise NotRehearsable(why)
    first, *others = BY_KEY[flag].variants
    if target not in others:
        said = f"one of {', '.join(others)}: another variant of {flag} than its baseline {first}"
        raise Refused("target", target, said)
    return first
