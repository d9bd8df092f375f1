"""Takes all connections but one of each web process's pool, and keeps them."""

import redis

from console import fleetview
from console.faults.fault import CannotCause, Fault, Memo
from console.faults.held_connections import KEY, LIFE_S
from monitoring import valkey


def _prepare() -> Memo:
    pools = fleetview.database_pools()
    if pools is None:
        raise CannotCause("The cache server does not answer, through which web processes are told.")
    if not any(pool.rows for pool in pools):
        raise CannotCause("No web process tells of a pool: start one with `make up`.")
    return {}


def _keep(_memo: Memo) -> None:
    try:
        valkey.client().set(KEY, "1", ex=LIFE_S)
    except redis.RedisError as exc:
        raise CannotCause("The cache server does not answer any more.") from exc


def _heal(_memo: Memo) -> None:
    try:
        valkey.client().delete(KEY)
    except redis.RedisError:
        return  # what is asked there lapses by itself


FAULT = Fault(
    name="pool-exhaustion",
    does="Each web process holds all connections of its pool but one, and lends them to nobody.",
    look="/pools/ (db.primary: lent of its most), /alerts/; pages are slower, some answer 503",
    rule="db.pool_used",
    runbook="pool-exhaustion",
    prepare=_prepare,
    cause=_keep,
    keep=_keep,
    heal=_heal,
)
