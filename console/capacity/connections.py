"""Connections: what the fleet opens, through PgBouncer or not, and what Postgres grants."""

from collections.abc import Iterator

from console.capacity import sums, wanted
from console.capacity.inputs import DEPLOYMENT, PRIMARY, Bouncer, Inputs, Postgres
from console.capacity.limit import Limit, Told, limit
from console.pgbouncer.sizes import CLIENTS_A_SERVER, DIRECT, accepted, descriptors

_POSTGRES, _PGBOUNCER, _WEB, _WORKERS = "postgres", "pgbouncer", "web processes", "workers"
_FLEET = (_WEB, _WORKERS)


def limits(inputs: Inputs) -> Iterator[Limit]:
    yield from _of_web(inputs)
    if inputs.pooled:
        yield from _of_bouncer(inputs)
    yield from _of_postgres(inputs)
    yield from _of_replicas(inputs)


def _of_web(inputs: Inputs) -> Iterator[Limit]:
    if inputs.threads is None:
        return
    sizes = [pool.size for pool in inputs.pools or () if pool.server == PRIMARY and pool.processes]
    least = min(sizes, default=None)
    yield limit(
        "web.pool",
        "Request threads within the pool",
        uses=inputs.threads,
        allows=least,
        unit="connections",
        explains=f"{inputs.threads} threads of a web process answer requests and write exports; "
        "those beyond its pool wait for a connection for a second, and are then answered with 503. "
        "Live pages, metrics and alerts ask in between, for a moment, and wait as long.",
        fix=_own_pool(inputs, inputs.threads),
        told=Told.by(inputs.ages, _WEB),
    )


def _own_pool(inputs: Inputs, size: int) -> str:
    """By another formula than the deployment's DB_POOL_MAX is not looked at."""
    line = f"DB_POOL_MAX={size}"
    return line if inputs.formula == DEPLOYMENT else f"{_BY_DEPLOYMENT}\n{line}"


_BY_DEPLOYMENT = f"manage.py flag db.pool_formula {DEPLOYMENT} --unrehearsed"


def _of_bouncer(inputs: Inputs) -> Iterator[Limit]:
    told = Told.by(inputs.ages, _PGBOUNCER, *_FLEET)
    bouncer, clients = inputs.bouncer, sums.clients(inputs)
    yield limit(
        "pgbouncer.clients",
        "Clients that PgBouncer accepts",
        uses=clients,
        allows=bouncer.clients if bouncer else None,
        unit="clients",
        explains=f"{_fleet(inputs)} PgBouncer turns away who comes beyond max_client_conn.",
        fix=f"max_client_conn = {wanted.max_client_conn(inputs)}",
        told=told,
    )
    yield limit(
        "pgbouncer.servers",
        "Clients on PgBouncer's connections",
        uses=clients,
        allows=sums.served(bouncer),
        unit="clients",
        explains=_meeting(clients, bouncer),
        fix=_lend_more(inputs),
        told=told,
    )
    yield _promise(inputs, bouncer, told)
    if bouncer is not None:
        yield _files(bouncer, Told.by(inputs.ages, _PGBOUNCER))


def _lend_more(inputs: Inputs) -> str:
    """Those lines that differ from what holds now."""
    bouncer, more = inputs.bouncer, wanted.lending(inputs)
    if bouncer is None or more is None:
        return ""
    now, then = wanted.lines_of(bouncer), wanted.lines_of(more)
    return "\n".join(f"{name} = {n}" for name, n in then.items() if n != now.get(name))


def _files(bouncer: Bouncer, told: Told) -> Limit:
    number = descriptors(bouncer.clients, bouncer.servers)
    own = number - bouncer.clients - bouncer.servers
    return limit(
        "pgbouncer.files",
        "Files that PgBouncer may open",
        uses=number,
        allows=bouncer.files,
        unit="files",
        explains=f"A socket for each of {bouncer.clients} clients and {bouncer.servers} "
        f"connections to Postgres, and {own} of its own. Where it runs, `ulimit -n` says how many "
        "it may have.",
        fix=f"LimitNOFILE={number}",
        told=told,
    )


def _promise(inputs: Inputs, bouncer: Bouncer | None, told: Told) -> Limit:
    """Who is accepted and not served waits for `query_wait_timeout`, then fails."""
    served, clients = sums.served(bouncer), sums.clients(inputs)
    # Twice the fleet is there while a release rolls out, and that is no promise to others.
    floor = accepted(clients) if clients else 0
    allows = None if served is None or clients is None else max(served, floor)
    promised = bouncer.clients if bouncer else None
    said = "Not known." if bouncer is None else (
        f"{promised} clients are accepted → {bouncer.servers} connections to Postgres, "
        f"by {bouncer.mode} pooling: the others wait, and fail after query_wait_timeout"
        f"{f' ({bouncer.query_wait_s:g} s)' if bouncer.query_wait_s is not None else ''}."
    )  # fmt: skip
    return limit(
        "pgbouncer.promised",
        "Clients accepted and clients served",
        uses=promised,
        allows=allows,
        unit="clients",
        explains=said,
        fix=f"max_client_conn = {wanted.max_client_conn(inputs)}" if clients else "",
        told=told,
    )


def _of_postgres(inputs: Inputs) -> Iterator[Limit]:
    told = Told.by(inputs.ages, _POSTGRES, *((_PGBOUNCER,) if inputs.pooled else _FLEET))
    server, demanded, others = inputs.postgres, sums.demanded(inputs), sums.others(inputs)
    yield limit(
        "postgres.connections",
        "Connections within max_connections",
        uses=None if demanded is None else demanded + others,
        allows=server.granted if server else None,
        unit="connections",
        explains=f"{_asks(inputs, demanded)} {others} more are for migrations, people and others. "
        f"{_grants(server)}",
        fix=_grant_more(inputs),
        told=told,
    )
    if server is None:
        return
    for key, most, kind, name in (
        ("postgres.role", server.role, "ROLE", server.user),
        ("postgres.database", server.database, "DATABASE", server.name),
    ):
        if most >= 0:
            number = wanted.servers_to_be(inputs)
            yield limit(
                key,
                f"Connections within the {kind.lower()}'s CONNECTION LIMIT",
                uses=demanded,
                allows=most,
                unit="connections",
                explains=f"{_asks(inputs, demanded)} The {kind.lower()} may have {most}.",
                fix=f"ALTER {kind} {identifier(name)} CONNECTION LIMIT {number};",
                told=told,
            )


def identifier(name: str) -> str:
    """As SQL takes it; where nobody told, whoever reads it fills it in."""
    quoted = name.replace('"', '""')
    return f'"{quoted}"' if name else "…"


def _grant_more(inputs: Inputs) -> str:
    return f"ALTER SYSTEM SET max_connections = {wanted.max_connections(inputs)};"


def _of_replicas(inputs: Inputs) -> Iterator[Limit]:
    """A hot standby does not start with a lower max_connections than its primary has."""
    if inputs.bouncer is not None and inputs.bouncer.before_replicas:
        return
    server, smaller = inputs.postgres, wanted.replicas_pool(inputs)
    for name in sums.replicas(inputs):
        number, looks = sums.processes_of(inputs, name), inputs.beside.a_look
        looking = f", {looks * number} look at it" if looks else ""
        yield limit(
            f"replica.connections:{name}",
            f"Connections to the replica {name}",
            uses=sums.of_replica(inputs, name),
            allows=server.granted if server else None,
            unit="connections",
            explains=f"{number} web processes hold {inputs.of_server(name)} at most{looking}, "
            f"{DIRECT} are for people. A replica has the primary's max_connections at least.",
            # A pool smaller than its threads would only move the wait.
            fix=_grant_more(inputs) if smaller is None else f"DB_POOL_MAX={smaller}",
            told=Told.by(inputs.ages, _WEB, _POSTGRES),
        )


def _meeting(clients: int | None, bouncer: Bouncer | None) -> str:
    if bouncer is None:
        return "Not known."
    why = (
        "session pooling keeps a connection for each"
        if bouncer.mode == "session"
        else f"more than {CLIENTS_A_SERVER} for one connection wait for each other"
    )
    opened = "an unknown number of" if clients is None else str(clients)
    return f"{opened} clients → {bouncer.servers} connections to Postgres: {why}."


def _fleet(inputs: Inputs) -> str:
    if inputs.clients is None:
        return "How many the fleet opens is not known."
    parts = []
    if inputs.beside.a_worker:
        number = inputs.planned or 0
        parts.append(f"{number * inputs.beside.a_worker} of {number} workers")
    pooled = inputs.of_server(PRIMARY) + (inputs.web or 0) * inputs.beside.a_web
    parts.append(f"{pooled} of {inputs.web} web process{'' if inputs.web == 1 else 'es'}")
    if inputs.beside.others:
        parts.append(f"{inputs.beside.others} of beat and commands")
    if inputs.bouncer is not None and inputs.bouncer.before_replicas:
        parts.append(f"{(sums.clients(inputs) or 0) - inputs.clients} for replicas")
    return f"The fleet opens {sums.clients(inputs)} at most: {', '.join(parts)}."


def _asks(inputs: Inputs, demanded: int | None) -> str:
    if not inputs.pooled:
        return _fleet(inputs)
    if demanded is None:
        return "What PgBouncer may open is not known."
    return f"PgBouncer may open {demanded}."


def _grants(server: Postgres | None) -> str:
    if server is None:
        return "What Postgres grants is not known."
    return (
        f"max_connections={server.max_connections} leaves {server.granted}: {server.reserved} are "
        "reserved. It takes a restart to change."
    )
