"""Has one worker process grow until nine tenths of what it may hold are taken."""

import redis

from console import fleetview
from console.faults.fault import CannotCause, Fault, Memo
from monitoring import valkey
from validation import ballast


def _prepare() -> Memo:
    fleet = fleetview.look()
    if not fleet.reachable:
        raise CannotCause("The cache server does not answer, through which workers are told.")
    if not fleet.up:
        raise CannotCause("No worker is up: start some with `make up`.")
    worker = min(fleet.up, key=lambda worker: worker.id)
    return {"worker": worker.id}


def _keep(memo: Memo) -> None:
    try:
        valkey.client().set(ballast.KEY, memo["worker"], ex=ballast.LIFE_S)
    except redis.RedisError as exc:
        raise CannotCause("The cache server does not answer any more.") from exc


def _heal(_memo: Memo) -> None:
    try:
        valkey.client().delete(ballast.KEY)
    except redis.RedisError:
        return  # what is asked there lapses by itself


FAULT = Fault(
    name="memory-growth",
    does="One worker process grows until it holds nine tenths of what it may.",
    look="/workers/ (its memory, and what its guard does: half of L1 goes)",
    rule="worker.memory",
    runbook="memory-growth",
    prepare=_prepare,
    cause=_keep,
    keep=_keep,
    heal=_heal,
)
