"""What each worker process last said of itself, with its age by the cache server's clock."""

import os
import socket
from typing import Any, Literal

import msgspec
import redis

from monitoring import valkey

_INDEX = "switchyard:workers"
_LIFE_S = 600
_UP_S = 5.0
_STALE_S = 30.0

type WorkerState = Literal["up", "stale", "gone"]


class WorkerSnapshot(msgspec.Struct, kw_only=True, frozen=True):
    """One worker process. Counts are since its start; `rate` is items a second of late."""

    id: str
    host: str
    pid: int
    started_at: float
    busy: bool
    run: int | None
    items_done: int
    chunks_done: int
    rate: float
    rss_bytes: int
    # The client's counts: calls in flight, batches, retries, by node.
    node: dict[str, Any] = {}
    # Set by the reader; a writer's clock may be wrong.
    age_s: float = 0.0

    @property
    def state(self) -> WorkerState:
        if self.age_s <= _UP_S:
            return "up"
        return "stale" if self.age_s <= _STALE_S else "gone"


def worker_id() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def publish(snapshot: WorkerSnapshot) -> None:
    """Raises redis.RedisError when the cache server is gone."""
    pipe = valkey.client().pipeline(transaction=False)
    pipe.set(_key(snapshot.id), msgspec.json.encode(snapshot), ex=_LIFE_S)
    pipe.sadd(_INDEX, snapshot.id)
    pipe.execute()


def retire(worker: str) -> None:
    """Takes a worker that stopped in good order off the list."""
    try:
        valkey.client().pipeline(transaction=False).delete(_key(worker)).srem(
            _INDEX, worker
        ).execute()
    except redis.RedisError:
        return  # it will be shown as gone and forgotten after ten minutes


def workers() -> list[WorkerSnapshot] | None:
    """Every worker heard of in the last ten minutes, youngest word first; None: nobody to ask."""
    try:
        client = valkey.client()
        ids = sorted(client.smembers(_INDEX))
        pipe = client.pipeline(transaction=False)
        for worker in ids:
            pipe.get(_key(worker)).pttl(_key(worker))
        answers = pipe.execute()
        found = []
        for worker, body, ttl_ms in zip(ids, answers[::2], answers[1::2], strict=True):
            if body is None:
                client.srem(_INDEX, worker)
                continue
            snapshot = msgspec.json.decode(body, type=WorkerSnapshot)
            found.append(msgspec.structs.replace(snapshot, age_s=_LIFE_S - ttl_ms / 1000))
    except (redis.RedisError, msgspec.DecodeError):
        return None
    return sorted(found, key=lambda s: (s.age_s > _UP_S, s.id))


def live_count() -> int | None:
    """How many processes share the nodes now; None where it cannot be known."""
    found = workers()
    return None if found is None else sum(snapshot.state == "up" for snapshot in found)


def _key(worker: str) -> str:
    return f"switchyard:worker:{worker}"
