"""What the fleet opens, and what PgBouncer opens in its place: the sums that all limits rest on."""

from console.capacity.inputs import PRIMARY, Bouncer, Inputs
from console.pgbouncer.sizes import DIRECT, a_server, left_to_others, needed


def clients(inputs: Inputs) -> int | None:
    """Connections that the fleet opens to Postgres, or to PgBouncer where that stands between."""
    found = inputs.clients
    if found is None or inputs.bouncer is None or not inputs.bouncer.before_replicas:
        return found
    return found + sum(p.processes * p.size for p in inputs.pools or () if p.server != PRIMARY)


def demanded(inputs: Inputs) -> int | None:
    """Of Postgres itself: by the fleet, or by PgBouncer in its place."""
    if not inputs.pooled:
        return inputs.clients
    return None if inputs.bouncer is None else inputs.bouncer.servers


def served(bouncer: Bouncer | None) -> int | None:
    """Clients that do not wait for each other by rule."""
    return None if bouncer is None else bouncer.servers * a_server(bouncer.mode)


def servers_needed(inputs: Inputs) -> int | None:
    """Of PgBouncer, for all clients. Where it has told nothing, by transactions."""
    found = clients(inputs)
    mode = inputs.bouncer.mode if inputs.bouncer else "transaction"
    return None if found is None else needed(found, mode)


def others(inputs: Inputs) -> int:
    """Connections to Postgres that are not the fleet's to take."""
    return left_to_others(inputs.postgres.foreign if inputs.postgres else 0)


def processes_of(inputs: Inputs, server: str) -> int:
    return sum(pool.processes for pool in inputs.pools or () if pool.server == server)


def of_replica(inputs: Inputs, server: str) -> int:
    """Each web process has its pool there and one that looks at it; some are for people."""
    return inputs.of_server(server) + processes_of(inputs, server) * inputs.beside.a_look + DIRECT


def replicas(inputs: Inputs) -> list[str]:
    return sorted({pool.server for pool in inputs.pools or ()} - {PRIMARY})
