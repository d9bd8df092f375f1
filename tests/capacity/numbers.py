"""Numbers that work, each of which a test may spoil."""

from typing import Any

from console.capacity.inputs import (
    Bouncer,
    Files,
    Inputs,
    Lent,
    Memory,
    Nodes,
    Pool,
    Postgres,
    Server,
    Times,
)
from console.capacity.judging import judge
from console.capacity.limit import Limit
from console.pgbouncer import Beside

MB = 10**6


def bouncer(**more: Any) -> Bouncer:
    said: dict[str, Any] = {
        "clients": 100, "lent": (Lent(database="switchyard", pool=40, most=40),),
        "query_wait_s": 2.0, "files": 1024,
    }  # fmt: skip
    return Bouncer(**(said | more))


def numbers(**more: Any) -> Inputs:
    """Four workers and two web processes; behind PgBouncer where `bouncer` is among `more`."""
    said: dict[str, Any] = {
        "declared": 4, "up": 4, "pools": (Pool(processes=2, size=8),), "threads": 8,
        "beside": Beside.of(), "pooled": "bouncer" in more,
        "postgres": Postgres(
            max_connections=100, shared_bytes=256 * MB, user="app", name="switchyard"
        ),
        "nodes": Nodes(number=2, most=256, calls=64, sockets=8),
        "files": Files(worker=1024, web=8192, streams=5000),
        "times": Times(
            acquire=1.0, statement=30.0, request=60.0, renewal=1.0, lease=6.0, call=5.0, calls=15.0
        ),
        "memory": Memory(total=4000 * MB, a_worker=150 * MB, workers=4, postgres_here=True),
        "servers": (Server(name="valkey", clients=30, most=10_000),),
    }  # fmt: skip
    return Inputs(**(said | more))


def of(inputs: Inputs, key: str) -> Limit:
    [found] = [one for one in judge(inputs) if one.key == key]
    return found


def standing(inputs: Inputs, which: str) -> list[str]:
    return [one.key for one in judge(inputs) if one.standing == which]
