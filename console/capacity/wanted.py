"""What to set, by name: one answer for a limit that is broken and for the table of settings."""

from math import ceil
from typing import Final

import msgspec

from console.capacity import sums
from console.capacity.inputs import Bouncer, Inputs, Lent, Nodes
from console.pgbouncer.sizes import DIRECT, accepted

# Calls with a node that one worker should have at least: fewer leave a batch half empty.
CALLS_A_WORKER: Final = 16


def max_connections(inputs: Inputs) -> int | None:
    """The least that holds all; a replica needs the primary's at least, and may need more."""
    servers = servers_to_be(inputs)
    if servers is None:
        return None
    reserved = inputs.postgres.reserved if inputs.postgres else 3
    wanted = [servers + sums.others(inputs)]
    if not _before_replicas(inputs):
        wanted += [_at_replica(inputs, name) for name in sums.replicas(inputs)]
    return max(wanted) + reserved


def servers_to_be(inputs: Inputs) -> int | None:
    """Connections to Postgres itself, once PgBouncer has as many as its clients need."""
    if not inputs.pooled:
        return inputs.clients
    if inputs.bouncer is None:
        return sums.servers_needed(inputs)
    found = lending(inputs)
    return found.servers if found else None


def lending(inputs: Inputs) -> Bouncer | None:
    """PgBouncer with as many connections as its clients need: the same where it has them."""
    bouncer, wanted = inputs.bouncer, sums.servers_needed(inputs)
    if bouncer is None or wanted is None or bouncer.servers >= wanted:
        return bouncer
    if not bouncer.lent:
        return msgspec.structs.replace(bouncer, lent=(Lent(pool=wanted),))
    pools = sum(one.users for one in bouncer.lent)
    reserves = sum(one.users * one.reserve for one in bouncer.lent)
    size = max(0, ceil((wanted - reserves) / pools))
    users = max(one.users for one in bouncer.lent)
    return msgspec.structs.replace(
        bouncer,
        lent=tuple(_lent(one, size, wanted) for one in bouncer.lent),
        user_most=bouncer.user_most and max(bouncer.user_most, ceil(wanted / users)),
    )


def _lent(one: Lent, size: int, wanted: int) -> Lent:
    """A limit over all users grows with it; a larger pool alone would do nothing."""
    grown = msgspec.structs.replace(one, pool=max(one.pool, size), most=0)
    most = one.most and max(one.most, min(grown.servers, wanted))
    return msgspec.structs.replace(grown, most=most)


def lines_of(bouncer: Bouncer) -> dict[str, int]:
    """Its settings of how much it lends; what limits nothing is left out."""
    found = {
        "default_pool_size": max((one.pool for one in bouncer.lent), default=0),
        "max_db_connections": max((one.most for one in bouncer.lent), default=0),
        "max_user_connections": bouncer.user_most,
    }
    return {name: value for name, value in found.items() if value or name == "default_pool_size"}


def max_client_conn(inputs: Inputs) -> int | None:
    """Twice the fleet while a release rolls out, and no more than is served."""
    found = sums.clients(inputs)
    if found is None:
        return None
    floor = accepted(found)
    if inputs.bouncer is None:
        return floor
    most = max(floor, sums.served(inputs.bouncer) or 0)
    return min(max(inputs.bouncer.clients, floor), most)


def max_in_flight(nodes: Nodes, workers: int) -> int:
    """Calls with a node for each worker, and no more than its sockets carry."""
    carried = nodes.sockets * nodes.batch * workers
    return min(max(nodes.most, workers * CALLS_A_WORKER), carried)


def replicas_pool(inputs: Inputs) -> int | None:
    """DB_POOL_MAX by which the pools fit the fullest replica; None where none would."""
    found = []
    for name in sums.replicas(inputs):
        processes = max(1, sums.processes_of(inputs, name))
        granted = inputs.postgres.granted if inputs.postgres else 0
        found.append((granted - DIRECT) // processes - inputs.beside.a_look)
    least = min(found, default=0)
    return least if least >= max(1, inputs.threads or 0) else None


def _at_replica(inputs: Inputs, name: str) -> int:
    """What it must grant: nothing more where smaller pools are the cure."""
    if replicas_pool(inputs) is not None:
        return 0
    return sums.of_replica(inputs, name)


def _before_replicas(inputs: Inputs) -> bool:
    return inputs.bouncer is not None and inputs.bouncer.before_replicas
