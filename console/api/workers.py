"""The worker processes, as each last said of itself."""
# ruff: noqa: ARG001 - ninja finds the request by its name

from typing import Any, Literal

import msgspec
from django.http import HttpRequest
from ninja import Router, Schema

from console.api.auth import viewer
from console.api.problems import Problem
from monitoring import snapshots

router = Router(tags=["Workers"])


class Memory(Schema):
    """What its memory guard last saw and did; bytes are null where nothing tells. `own_limit`: it
    is WORKER_MEMORY_MB, else a part of what there is for all.
    """

    guard: str
    level: Literal["ok", "half", "all"]
    refuses: bool
    used_bytes: int | None
    limit_bytes: int | None
    drops: int
    freed_bytes: int
    own_limit: bool


class Worker(Schema):
    """One process; `age_s` is how old this word of it is. Counts are since its start.

    It obeys what operators wanted up to the revision `acknowledged`. Its breakers, pools, cache,
    nodes and flags are at addresses of their own; `slot` is its number among the living, null
    where it has none yet, and `flags_revision` 0 where no flag could be read.
    """

    id: str
    state: Literal["up", "stale", "gone"]
    age_s: float
    host: str
    pid: int
    started_at: float
    busy: bool
    run: int | None
    items_done: int
    chunks_done: int
    rate: float
    rss_bytes: int
    node: dict[str, Any]
    acknowledged: int | None
    head: int | None
    final: int | None
    orphaned: int
    slot: int | None
    flags_revision: int
    memory: Memory | None


class WorkerList(Schema):
    workers: list[Worker]


@router.get("/workers", auth=viewer, response=WorkerList, summary="List workers")
def list_workers(request: HttpRequest) -> dict[str, Any]:
    """Every worker heard of in the last ten minutes; 503 when nobody can be asked."""
    found = snapshots.workers()
    if found is None:
        raise Problem(503, "No worker reports: the cache server does not answer. Runs go on.")
    return {"workers": [_row(worker) for worker in found]}


def _row(worker: snapshots.WorkerSnapshot) -> dict[str, Any]:
    own = {name: getattr(worker, name) for name in Worker.model_fields}
    memory = worker.memory and msgspec.structs.asdict(worker.memory)
    return own | {"memory": memory}
