"""Has items of one variant of a flag take longer in every worker, so that a rollout goes wrong."""

import msgspec
import redis

from console import fleetview
from console.faults.fault import CannotCause, Fault, Memo
from console.flags.catalogue import BY_KEY
from monitoring import valkey
from validation import drag
from validation.toggles import ITEM_VARIANTS

NAME = "slow-variant"
LEAST, MOST, USUAL = 1.0, 500.0, 30.0


def of(what: str, more: float) -> Fault:
    """`what` is FLAG=VARIANT. Raises CannotCause for what cannot be slowed, and says why."""
    flag, is_pair, variant = what.partition("=")
    if not is_pair:
        raise CannotCause(f"Name a flag and its variant: {NAME} {_example()}.")
    _check(flag, variant)
    if not LEAST <= more <= MOST:
        raise CannotCause(f"--more {more:g} is not from {LEAST:g} to {MOST:g} percent.")
    asked = drag.Asked(flag=flag, variant=variant, more=more)
    return Fault(
        name=NAME,
        does=f"Items that have {variant} of {flag} take {more:g} % longer in every worker.",
        look=f"/flags/{flag}/ (a guarded rollout of it takes itself back)",
        rule="",
        runbook="rollouts",
        prepare=_prepare,
        cause=lambda _memo: _ask(asked),
        keep=lambda _memo: _ask(asked),
        heal=_heal,
    )


def _check(flag: str, variant: str) -> None:
    those = f"those that split items are {', '.join(ITEM_VARIANTS)}"
    if flag not in BY_KEY:
        raise CannotCause(f"The engine asks for no flag named {flag[:80]!r}: {those}.")
    if flag not in ITEM_VARIANTS:
        raise CannotCause(
            f"{flag} is decided once for a whole process, so none of its items can be slower than "
            f"its neighbour for it: {those}."
        )
    if variant not in ITEM_VARIANTS[flag]:
        known = ", ".join(ITEM_VARIANTS[flag])
        raise CannotCause(f"{flag} has no variant {variant[:80]!r}: one of {known}.")


def _example() -> str:
    flag, variants = next(iter(ITEM_VARIANTS.items()))
    return f"{flag}={next(iter(variants))}"


def _prepare() -> Memo:
    fleet = fleetview.look()
    if not fleet.reachable:
        raise CannotCause("The cache server does not answer, through which workers are told.")
    if not fleet.up:
        raise CannotCause("No worker is up: start some with `make up`.")
    return {}


def _ask(asked: drag.Asked) -> None:
    try:
        valkey.client().set(drag.KEY, msgspec.json.encode(asked), ex=drag.LIFE_S)
    except redis.RedisError as exc:
        raise CannotCause("The cache server does not answer any more.") from exc


def _heal(_memo: Memo) -> None:
    try:
        valkey.client().delete(drag.KEY)
    except redis.RedisError:
        return  # what is asked there lapses by itself
