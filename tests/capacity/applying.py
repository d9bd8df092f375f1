"""Does to numbers what a line of a fix does to a fleet."""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from console.capacity.inputs import DEPLOYMENT, PRIMARY, Inputs, changed


def apply(inputs: Inputs, fix: str) -> Inputs:
    """A line that nobody knows is a mistake: it could mend nothing."""
    for line in fix.splitlines():
        [(done, found)] = [
            (do, match) for pattern, do in _LINES.items() if (match := re.fullmatch(pattern, line))
        ]
        inputs = done(inputs, found[1])
    return inputs


def _part(inputs: Inputs, name: str, **fields: Any) -> Inputs:
    part = getattr(inputs, name)
    assert part is not None
    return changed(inputs, **{name: msgspec.structs.replace(part, **fields)})


def _lent(inputs: Inputs, **fields: int) -> Inputs:
    """`most` is raised only where there is one."""
    assert inputs.bouncer is not None
    lent = [
        msgspec.structs.replace(one, **(fields if one.most or "most" not in fields else {}))
        for one in inputs.bouncer.lent
    ]
    return _part(inputs, "bouncer", lent=tuple(lent))


def _pools(inputs: Inputs, size: str) -> Inputs:
    """Of another formula than the deployment's DB_POOL_MAX is the replicas' alone."""
    heeds = inputs.formula == DEPLOYMENT
    pools = [
        msgspec.structs.replace(one, size=int(size)) if heeds or one.server != PRIMARY else one
        for one in inputs.pools or ()
    ]
    return changed(inputs, pools=tuple(pools))


def _workers(inputs: Inputs, number: str) -> Inputs:
    """They read it when they start, and each takes its part."""
    return _shared(changed(inputs, declared=int(number)))


def _in_flight(inputs: Inputs, most: str) -> Inputs:
    return _shared(_part(inputs, "nodes", most=int(most)))


def _shared(inputs: Inputs) -> Inputs:
    if inputs.nodes is None:
        return inputs
    return _part(inputs, "nodes", calls=max(1, inputs.nodes.most // (inputs.declared or 1)))


def _files(inputs: Inputs, number: str) -> Inputs:
    """Of whatever it is written beside: all of them are given as many."""
    found = _part(inputs, "files", worker=int(number), web=int(number))
    return found if found.bouncer is None else _part(found, "bouncer", files=int(number))


def _flag(inputs: Inputs, said: str) -> Inputs:
    key, value, *_ = said.split(" ")
    if key == "db.pool_formula":
        return changed(inputs, formula=value)
    if key == "rpc.rate_limit":
        return _part(inputs, "nodes", rate_by_process=value == "process")
    assert key == "db.statement_timeout"
    # Behind a pooler the role's own holds.
    return inputs if inputs.pooled else _part(inputs, "times", statement=int(value) / 1000)


def _of_role(inputs: Inputs, seconds: str) -> Inputs:
    """Without a pooler each session sets the flag's."""
    return _part(inputs, "times", statement=float(seconds)) if inputs.pooled else inputs


_LINES: Final[dict[str, Callable[[Inputs, str], Inputs]]] = {
    r"ALTER SYSTEM SET max_connections = (\d+);": (
        lambda i, n: _part(i, "postgres", max_connections=int(n))
    ),
    r'ALTER ROLE "app" CONNECTION LIMIT (\d+);': lambda i, n: _part(i, "postgres", role=int(n)),
    r'ALTER DATABASE "switchyard" CONNECTION LIMIT (\d+);': (
        lambda i, n: _part(i, "postgres", database=int(n))
    ),
    r"ALTER ROLE \"app\" SET statement_timeout = '(\d+)s';": _of_role,
    r"DB_POOL_MAX=(\d+)": _pools,
    r"WORKERS=(\d+)": _workers,
    r"NODE_MAX_IN_FLIGHT=(\d+)": _in_flight,
    r"WORKER_MEMORY_MB=(\d+)": lambda i, n: _part(i, "memory", a_worker=int(n) << 20),
    r"--concurrency=(\d+)": lambda i, n: _part(i, "memory", workers=int(n)),
    r"LimitNOFILE=(\d+)": _files,
    r"manage\.py flag (.+)": _flag,
    r"max_client_conn = (\d+)": lambda i, n: _part(i, "bouncer", clients=int(n)),
    r"default_pool_size = (\d+)": lambda i, n: _lent(i, pool=int(n)),
    r"max_db_connections = (\d+)": lambda i, n: _lent(i, most=int(n)),
    r"max_user_connections = (\d+)": lambda i, n: _part(i, "bouncer", user_most=int(n)),
    r"query_wait_timeout = (\d+)": lambda i, n: _part(i, "bouncer", query_wait_s=float(n)),
}
