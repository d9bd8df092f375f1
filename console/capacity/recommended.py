"""What to set for so many workers: each value with what it is now, and why."""

from collections.abc import Iterator
from dataclasses import dataclass

from console.capacity import memory, sums, wanted
from console.capacity.inputs import Inputs
from console.pgbouncer.sizes import CLIENTS_A_SERVER, needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A setting; `now` "" where that is not known here, `line` as it is written."""

    name: str
    now: str
    wanted: str
    line: str
    why: str

    @property
    def differs(self) -> bool:
        return self.now != self.wanted


def recommended(inputs: Inputs) -> tuple[Value, ...]:
    """For the workers that are reckoned with. What cannot be said without more is left out."""
    return tuple(_values(inputs))


def _values(inputs: Inputs) -> Iterator[Value]:
    number = inputs.planned
    if number is None:
        return
    yield _env("WORKERS", inputs.declared, number, "as many as run, over the whole fleet")
    if (nodes := inputs.nodes) is not None:
        most = wanted.max_in_flight(nodes, number)
        why = f"{wanted.CALLS_A_WORKER} calls in flight with a node for each worker, at least"
        yield _env("NODE_MAX_IN_FLIGHT", nodes.most, most, why)
    yield from _of_memory(inputs)
    if inputs.clients is None:
        return
    if inputs.pooled:
        yield from _of_bouncer(inputs)
    yield from _max_connections(inputs)


def _max_connections(inputs: Inputs) -> Iterator[Value]:
    server = inputs.postgres
    least, servers = wanted.max_connections(inputs), wanted.servers_to_be(inputs)
    if least is None or servers is None:
        return
    # Never less than there is: to lower it gains next to nothing, and needs a restart.
    number = max(least, server.max_connections if server else 0)
    through = " through PgBouncer" if inputs.pooled else ""
    yield Value(
        name="max_connections",
        now=str(server.max_connections) if server else "",
        wanted=str(number),
        line=f"ALTER SYSTEM SET max_connections = {number};",
        why=f"{least} at least: {servers} of the fleet{through}, {sums.others(inputs)} for "
        f"migrations, people and others, {server.reserved if server else 3} reserved"
        f"{_for_replicas(inputs)}; then restart Postgres",
    )


def _for_replicas(inputs: Inputs) -> str:
    return ", and what the fullest replica holds" if sums.replicas(inputs) else ""


def _of_bouncer(inputs: Inputs) -> Iterator[Value]:
    bouncer, more = inputs.bouncer, wanted.lending(inputs)
    clients = sums.clients(inputs) or 0
    now = wanted.lines_of(bouncer) if bouncer else {}
    then = wanted.lines_of(more) if more else {"default_pool_size": needed(clients, "transaction")}
    mode = bouncer.mode if bouncer else "transaction"
    shared = "each keeps its own" if mode == "session" else f"{CLIENTS_A_SERVER} on a connection"
    for name, number in then.items():
        why = f"{clients} clients, {shared} by {mode} pooling"
        yield _setting(name, now.get(name), number, why)
    number = wanted.max_client_conn(inputs) or 0
    why = "twice the fleet, while a release rolls out, and no more than are served"
    yield _setting("max_client_conn", bouncer.clients if bouncer else None, number, why)


def _setting(name: str, now: int | None, number: int, why: str) -> Value:
    return Value(
        name=name,
        now="" if now is None else str(now),
        wanted=str(number),
        line=f"{name} = {number}",
        why=f"{why}; `manage.py pgbouncer_ini` writes the whole file",
    )


def _of_memory(inputs: Inputs) -> Iterator[Value]:
    each = memory.a_worker_mb(inputs)
    if each is not None and inputs.memory is not None:
        share, number = f"{memory.SPARE:.0%}", inputs.memory.workers
        why = f"at most: what {share} of this machine leave to each of {number} workers here"
        yield Value(
            name="WORKER_MEMORY_MB",
            now="",
            wanted=str(each),
            line=f"WORKER_MEMORY_MB={each}",
            why=f"{why}; 0 lets them share what there is",
        )


def _env(name: str, now: int | None, wanted: int, why: str) -> Value:
    known = "" if now is None else str(now)
    return Value(name=name, now=known, wanted=str(wanted), line=f"{name}={wanted}", why=why)
