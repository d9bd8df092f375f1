"""What a flag's variant would make of the fleet's numbers, before anybody has it."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from django.db import connection

from console.capacity import live
from console.capacity.inputs import PRIMARY, Inputs, Pool, Postgres, changed
from console.capacity.judging import judge
from console.capacity.limit import Limit
from console.flags.catalogue import BY_KEY, DB_POOL_FORMULA
from console.postgres.steering import sizes_of
from validation.flags import POOL_SIZE, RATE_LIMIT, STATEMENT_TIMEOUT

ALL: Final = 100

type Effect = Callable[[Inputs, Any, int], Inputs]
"""From the numbers, what the variant is worth, and the percent of processes that have it."""


def foresee(
    flag_key: str, variant: str, *, percent: int = ALL, inputs: Inputs | None = None
) -> tuple[Limit, ...]:
    """The limits that break, or break further, where `percent` of the processes have `variant`;
    and those that the flag moves and nobody knows: no data is never fine.

    Nothing where the flag changes no number of the deployment, or its stage reaches nobody.
    """
    effect, definition = _EFFECTS.get(flag_key), BY_KEY.get(flag_key)
    if effect is None or definition is None or variant not in definition.variants or percent <= 0:
        return ()
    now = inputs or _now()
    then = effect(now, definition.variants[variant], percent)
    if then == now:
        return ()
    before, after = {one.key: one for one in judge(now)}, judge(then)
    broken = [one for one in after if one.holds is False and _is_worse(one, before.get(one.key))]
    moved = _MOVED[flag_key]
    return (*broken, *(one for one in after if one.holds is None and one.key in moved))


def _is_worse(one: Limit, before: Limit | None) -> bool:
    return before is None or before.holds is not False or one.share > before.share


def _now() -> Inputs:
    """Where no collector has looked lately, Postgres is asked, and where no process tells of its
    pool, one web process is reckoned with: a stage must not rest on nothing.
    """
    found = live.look()
    if found.postgres is None:
        found = changed(found, postgres=_asked())
    return found if found.pools is not None else changed(found, pools=live.reckoned(1))


def _asked() -> Postgres:
    with connection.cursor() as cursor:
        cursor.execute(_GRANTED)
        most, reserved, role, database = cursor.fetchone()
    return Postgres(max_connections=most, reserved=reserved, role=role, database=database)


_GRANTED = """
SELECT current_setting('max_connections')::int,
       current_setting('superuser_reserved_connections')::int
           + coalesce(current_setting('reserved_connections', true)::int, 0),
       (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),
       (SELECT datconnlimit FROM pg_database WHERE datname = current_database())
"""


def _pools(inputs: Inputs, formula: str, percent: int) -> Inputs:
    """The processes of a stage are not known by name: those with the smallest pools, at worst."""
    if inputs.pools is None:
        return inputs
    sizes = sorted(p.size for p in inputs.pools if p.server == PRIMARY for _ in range(p.processes))
    treated = -(-percent * len(sizes) // ALL)
    new = [sizes_of(formula).most] * treated + sizes[treated:]
    others = [pool for pool in inputs.pools if pool.server != PRIMARY]
    return changed(inputs, pools=(*others, *(Pool(size=size) for size in new)))


def _sockets(inputs: Inputs, sockets: int, percent: int) -> Inputs:
    del percent  # each worker has its own files: one that breaks is one too many
    if inputs.nodes is None:
        return inputs
    return changed(inputs, nodes=msgspec.structs.replace(inputs.nodes, sockets=sockets))


def _statements(inputs: Inputs, statement_ms: int, percent: int) -> Inputs:
    del percent
    if inputs.times is None or inputs.pooled:
        return inputs  # behind a pooler the role's own holds
    times = msgspec.structs.replace(inputs.times, statement=statement_ms / 1000)
    return changed(inputs, times=times)


def _rates(inputs: Inputs, by: str, percent: int) -> Inputs:
    del percent
    if inputs.nodes is None:
        return inputs
    nodes = msgspec.structs.replace(inputs.nodes, rate_by_process=by == "process")
    return changed(inputs, nodes=nodes)


# The limits that a flag moves. Files are not among them: without a worker nobody knows how many
# each may open, and a stage before the first one starts harms none.
_MOVED: Final[Mapping[str, frozenset[str]]] = {
    DB_POOL_FORMULA.key: frozenset(
        {"postgres.connections", "pgbouncer.clients", "pgbouncer.servers"}
    ),
    POOL_SIZE.key: frozenset(),
    STATEMENT_TIMEOUT.key: frozenset({"timeouts.acquire", "timeouts.statement"}),
    RATE_LIMIT.key: frozenset({"nodes.rate"}),
}
# Not `rpc.concurrency`: its baseline is to have no limit, and a stage of it is there to measure
# what that does; /capacity/ says of it what it says of all.
_EFFECTS: Final[Mapping[str, Effect]] = {
    DB_POOL_FORMULA.key: _pools,
    POOL_SIZE.key: _sockets,
    STATEMENT_TIMEOUT.key: _statements,
    RATE_LIMIT.key: _rates,
}
