"""The numbers of the fleet as it is: settings, what processes tell, what collectors saw."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from django.conf import settings

from console import patience
from console.bridge import EXPORTS, BridgeConfig
from console.capacity import files, live_memory
from console.capacity.inputs import (
    Bouncer,
    Files,
    Inputs,
    Lent,
    Nodes,
    Pool,
    Postgres,
    Server,
    Times,
)
from console.capacity.seen import Seen
from console.flags.catalogue import DB_POOL_FORMULA
from console.flags.web import decisions
from console.fleetview import pools as pools_of_nodes
from console.fleetview.database_pools import NAMED
from console.pgbouncer import Beside
from console.postgres.steering import sizes_of
from console.sse import MAX_STREAMS
from monitoring.collectors.pgbouncer import PgBouncerSample
from monitoring.collectors.postgres_samples import PostgresSample
from validation.flags import POOL_SIZE, RATE_LIMIT, STATEMENT_TIMEOUT, FlagKey
from validation.ledger import HEARTBEAT_S, LEASE_S
from validation.rpc import RpcConfig

# What a request may take, by the sources; whoever asks, or a proxy between, waits for so long.
REQUEST_S = 60.0
# A sample that is older says nothing of now; the collector looks every five seconds.
_OLD_S = 60.0
_OURS = "switchyard"
_RPC: Mapping[str, Any] = {field.name: field.default for field in fields(RpcConfig)}


def look(seen: Seen | None = None) -> Inputs:
    """Asks Valkey alone, and the kernel."""
    seen = seen or Seen.look()
    heard = seen.fleet.reachable
    server = seen.postgres.sample if _is_new(seen.postgres.age_s) else None
    bouncer = seen.pgbouncer.sample if _is_new(seen.pgbouncer.age_s) else None
    pooled = bool(settings.PGBOUNCER_ADMIN_URL)
    return Inputs(
        declared=settings.WORKERS,
        up=len(seen.fleet.up) if heard else None,
        pools=_pools(seen),
        beside=Beside.of(
            replicas=bool(settings.REPLICAS), destinations=len(settings.NOTIFY_DESTINATIONS)
        ),
        threads=BridgeConfig().threads + EXPORTS,
        formula=_formula(),
        pooled=pooled,
        bouncer=_bouncer(bouncer) if pooled else None,
        postgres=granted(server) if server else None,
        nodes=_nodes(seen),
        files=Files(
            worker=files.least_of(one.pid for one in seen.workers_here),
            web=files.least_of(seen.pids_here("web")),
            streams=MAX_STREAMS,
        ),
        times=_times(seen, server, pooled=pooled),
        memory=live_memory.look(seen),
        servers=_servers(seen),
        ages=_ages(seen),
    )


def _is_new(age_s: float | None) -> bool:
    return age_s is not None and age_s <= _OLD_S


def _pools(seen: Seen) -> tuple[Pool, ...] | None:
    """Of each web process as it tells; one that has not told yet has what its formula says, and
    where none lives one is reckoned with.
    """
    if seen.pools is None:
        return None
    found = [
        Pool(server=_server_of(row.pool), processes=1, size=row.max)
        for of in seen.pools
        for row in of.rows
        if row.max
    ]
    expected = max(1, len(seen.of_kind("web")))
    for pool in reckoned(expected):
        silent = expected - sum(one.server == pool.server for one in found)
        if silent > 0:
            found.append(Pool(server=pool.server, processes=silent, size=pool.size))
    return tuple(found)


def reckoned(processes: int) -> tuple[Pool, ...]:
    """Of so many web processes that tell nothing: as large as formula and setting say."""
    replicas = [
        Pool(server=one.label, processes=processes, size=settings.DB_POOL_MAX)
        for one in settings.REPLICAS
    ]
    return (Pool(processes=processes, size=sizes_of(_formula()).most), *replicas)


def _server_of(pool: str) -> str:
    return pool.removeprefix(NAMED)


def _formula() -> str:
    return decisions().value(DB_POOL_FORMULA)


def granted(server: PostgresSample) -> Postgres:
    seen = server.server
    others = [one for one in server.connections or () if not one.application.startswith(_OURS)]
    named = settings.DATABASES["default"]
    return Postgres(
        user=str(named.get("USER", "")),
        name=str(named.get("NAME", "")),
        max_connections=seen.max_connections,
        reserved=seen.reserved,
        role=-1 if seen.role_most is None else seen.role_most,
        database=-1 if seen.database_most is None else seen.database_most,
        foreign=sum(one.number for one in others),
        shared_bytes=seen.shared_bytes,
    )


def _bouncer(sample: PgBouncerSample | None) -> Bouncer | None:
    if sample is None or sample.settings is None:
        return None
    told = sample.settings
    return Bouncer(
        clients=sample.clients_max,
        lent=tuple(
            Lent(
                database=one.database,
                pool=one.pool,
                reserve=one.reserve,
                most=one.most,
                users=one.users,
            )
            for one in told.lent
        ),
        mode=told.mode,
        user_most=told.user_most,
        query_wait_s=told.query_wait_s,
        files=files.of_program("pgbouncer"),
    )


def _nodes(seen: Seen) -> Nodes | None:
    found = pools_of_nodes(seen.fleet)
    rows = [row.report for pool in found for row in pool.rows if row.is_current]
    number = max(len(settings.NODES), sum(bool(pool.workers) for pool in found))
    if not number:
        return None
    share = max(1, settings.NODE_MAX_IN_FLIGHT // settings.WORKERS)
    return Nodes(
        number=number,
        most=settings.NODE_MAX_IN_FLIGHT,
        calls=max((row.limit_max for row in rows), default=share),
        sockets=max((row.max for row in rows), default=POOL_SIZE.default),
        batch=_RPC["batch_size"],
        rate=settings.NODE_RATE_LIMIT,
        rate_by_process=_decided(seen, RATE_LIMIT) == "process",
    )


def _decided(seen: Seen, flag: FlagKey[Any]) -> str:
    """What workers say of a flag; where they differ, the first; "" where none says anything."""
    values = (
        report.in_force or report.value
        for worker in seen.fleet.up
        for report in worker.flags
        if report.key == flag.key
    )
    return next(values, "")


def _times(seen: Seen, server: PostgresSample | None, *, pooled: bool) -> Times:
    told = _decided(seen, STATEMENT_TIMEOUT)
    statement = (int(told) if told.isdigit() else STATEMENT_TIMEOUT.default) / 1000
    return Times(
        acquire=patience.WAIT_S,
        statement=_of_role(server) if pooled else statement,
        request=REQUEST_S,
        renewal=HEARTBEAT_S,
        lease=LEASE_S,
        call=_RPC["call_timeout_s"],
        calls=_RPC["total_timeout_s"],
    )


def _of_role(server: PostgresSample | None) -> float | None:
    """Behind a pooler the role's own holds; one that has none lets a statement run for ever."""
    if server is None or server.server.statement_ms is None:
        return None
    return server.server.statement_ms / 1000 or float("inf")


def _servers(seen: Seen) -> tuple[Server, ...]:
    both = (("valkey", seen.cache), ("broker", seen.broker))
    return tuple(
        Server(name=name, clients=of.sample.clients, most=of.sample.max_clients)
        for name, of in both
        if of.sample is not None and of.sample.max_clients
    )


def _ages(seen: Seen) -> dict[str, float]:
    known = {
        "postgres": seen.postgres.age_s,
        "pgbouncer": seen.pgbouncer.age_s,
        "valkey": seen.cache.age_s,
        "broker": seen.broker.age_s,
        "workers": max((worker.age_s for worker in seen.fleet.up), default=None),
        "web processes": max((one.age_s for one in seen.of_kind("web")), default=None),
    }
    return {name: age for name, age in known.items() if age is not None}
