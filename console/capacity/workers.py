"""Workers: as many as were declared, with calls, sockets and files within what they may have."""

from collections.abc import Iterator

from console.capacity import wanted
from console.capacity.inputs import Files, Inputs, Nodes
from console.capacity.limit import OURS, Limit, Told, limit

_WORKERS, _WEB = "workers", "web processes"
# Files of a worker beside its sockets to nodes: two databases, Valkey, pipes of Celery, logs.
_WORKERS_FILES = 64
# Of a web process beside streams and its pool: requests, Valkey, logs.
_WEB_FILES = 84
# Connections to one Valkey that a worker adds; two at work were seen to add ten.
VALKEY_A_WORKER = 5


def limits(inputs: Inputs) -> Iterator[Limit]:
    yield from _declared(inputs)
    if inputs.nodes is not None:
        yield from _of_nodes(inputs, inputs.nodes)
    if inputs.files is not None:
        yield from _of_files(inputs, inputs.files)
    extra = max(0, (inputs.planned or 0) - (inputs.up or 0)) * VALKEY_A_WORKER
    for server in inputs.servers:
        yield limit(
            f"valkey.clients:{server.name}",
            f"Clients of the {server.name}",
            uses=server.clients + extra,
            allows=server.most,
            unit="clients",
            explains=f"{server.clients} now, and {extra} for workers that are not up. Beyond "
            "maxclients it turns clients away.",
            fix=f"CONFIG SET maxclients {2 * (server.clients + extra)}",
            told=Told.by(inputs.ages, server.name, _WORKERS),
        )


def _declared(inputs: Inputs) -> Iterator[Limit]:
    if inputs.declared is None:
        return
    there = inputs.workers if inputs.workers is not None else inputs.up
    yield limit(
        "workers.declared",
        "Workers that share the nodes",
        uses=there,
        allows=inputs.declared,
        unit="workers",
        explains=f"Each takes one part of {inputs.declared} of what nodes may be asked "
        "(NODE_MAX_IN_FLIGHT by WORKERS): more workers ask more of them.",
        fix=f"WORKERS={there}",
        told=Told.by(inputs.ages, _WORKERS),
    )


def _of_nodes(inputs: Inputs, nodes: Nodes) -> Iterator[Limit]:
    told = Told.by(inputs.ages, _WORKERS)
    number = inputs.planned
    # For another number WORKERS is set to it, and each has its part of the whole.
    calls = nodes.calls if inputs.workers is None else max(1, nodes.most // max(1, inputs.workers))
    yield limit(
        "nodes.calls",
        "Calls in flight with a node",
        uses=None if number is None else number * calls,
        allows=nodes.most,
        unit="calls",
        explains=f"Each of {_or_unknown(number)} workers may have {calls} calls with a node at "
        f"once; NODE_MAX_IN_FLIGHT is {nodes.most} for all. Its part is NODE_MAX_IN_FLIGHT by "
        "WORKERS, as they were when it started.",
        fix=_share(nodes, number or 1),
        told=told,
    )
    yield limit(
        "nodes.sockets",
        "Calls in flight over a worker's sockets",
        uses=calls,
        allows=nodes.sockets * nodes.batch,
        unit="calls",
        explains=f"A worker has {nodes.sockets} sockets to a node, each carries {nodes.batch} "
        "calls at once: more would wait for a socket instead of under the limiter, unseen.",
        fix=_carry(inputs, nodes, number or 1),
        told=told,
    )
    if nodes.rate:
        factor = (number or 0) if nodes.rate_by_process else 1
        yield limit(
            "nodes.rate",
            "Calls a second of a node",
            uses=None if number is None else nodes.rate * factor,
            allows=nodes.rate,
            unit="rate",
            explains="By rpc.rate_limit the budget is "
            + ("each process's own." if nodes.rate_by_process else "one for the whole fleet."),
            fix="manage.py flag rpc.rate_limit fleet",
            told=told,
        )


def _share(nodes: Nodes, workers: int) -> str:
    """More calls for all would be more for each: only the number of parts mends it."""
    lines = [f"WORKERS={workers}"]
    most = wanted.max_in_flight(nodes, workers)
    return "\n".join(lines if most == nodes.most else [*lines, f"NODE_MAX_IN_FLIGHT={most}"])


def _carry(inputs: Inputs, nodes: Nodes, workers: int) -> str:
    line = f"NODE_MAX_IN_FLIGHT={wanted.max_in_flight(nodes, workers)}"
    return line if inputs.declared == workers else f"WORKERS={workers}\n{line}"


def _of_files(inputs: Inputs, files: Files) -> Iterator[Limit]:
    nodes = inputs.nodes
    if nodes is not None:
        of_worker = nodes.number * nodes.sockets + _WORKERS_FILES
        yield limit(
            "worker.files",
            "Files that a worker may open",
            uses=of_worker,
            allows=files.worker,
            unit="files",
            explains=f"{nodes.sockets} sockets to each of {nodes.number} nodes, and "
            f"{_WORKERS_FILES} for databases, Valkey and Celery.",
            fix=f"LimitNOFILE={of_worker}",
            told=Told.by(inputs.ages, _WORKERS),
        )
    if files.streams:
        pool = max((pool.size for pool in inputs.pools or ()), default=0)
        of_web = files.streams + pool + _WEB_FILES
        yield limit(
            "web.files",
            "Files that a web process may open",
            uses=of_web,
            allows=files.web,
            unit="files",
            explains=f"{files.streams} live streams, {pool} connections of its pool, and "
            f"{_WEB_FILES} for requests, Valkey and logs.",
            fix=f"LimitNOFILE={of_web}",
            told=Told.by(inputs.ages, OURS, _WEB),
        )


def _or_unknown(number: int | None) -> str:
    return "an unknown number of" if number is None else str(number)
