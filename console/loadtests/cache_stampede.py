"""4 000 callers in four processes want what nobody knows yet: the node is asked once."""

import asyncio
import math
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.synchronize import Barrier
from urllib.parse import urlsplit

import msgspec
from django.conf import settings

from console.loadtests.criteria import CannotRun, Outcome, exactly
from console.loadtests.node import serving
from validation.cache import CacheConfig, Lifetime, Made, TieredCache
from validation.resilience import Breaker
from validation.rpc import Call, NodeUrl, RpcClient, RpcConfig

PROCESSES = 4
CALLERS = 1_000
_LATENCY_MS = 100
# A process takes seconds to start on a busy machine; none begins before the last is ready.
_READY_S = 60.0
# Under a key of this run alone.
_KEPT_S = 60.0
_SOURCE = "ours: 1 call to the node for 4 000 callers"

_decode = msgspec.json.Decoder(str).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class _Crowd:
    """The callers of one process."""

    node: str
    valkey: str = field(repr=False)
    key: bytes
    callers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Got:
    answers: int
    different: int
    took_s: float
    has_l2: bool


def run(*, processes: int = PROCESSES, callers: int = CALLERS) -> Outcome:
    """Raises CannotRun and DevnodeError."""
    if not settings.REDIS_URL:
        raise CannotRun("processes share what they know through Valkey: set REDIS_URL.")
    key = b"switchyard:loadtest:%s" % os.urandom(8).hex().encode()
    with serving() as node:
        node.set(latency_ms=_LATENCY_MS)
        crowd = _Crowd(node=node.url, valkey=settings.REDIS_URL, key=key, callers=callers)
        # Not forked: this process has threads, and each is to be as new as a worker.
        context = multiprocessing.get_context("spawn")
        together = context.Barrier(processes)
        with ProcessPoolExecutor(
            processes, mp_context=context, initializer=_meet_at, initargs=(together,)
        ) as pool:
            found = list(pool.map(_besiege, [crowd] * processes))
        calls = node.counters.calls
    if not all(got.has_l2 for got in found):
        where = urlsplit(settings.REDIS_URL).scheme
        raise CannotRun(f"REDIS_URL ({where}://…): the cache server does not answer.")
    wanted = processes * callers
    return Outcome(
        criteria=(
            exactly("calls with the node", calls, 1, source=_SOURCE),
            exactly("callers that were answered", sum(got.answers for got in found), wanted,
                    source="ours"),
            exactly("answers that differ from the node's", sum(got.different for got in found), 0,
                    source="ours"),
        ),
        figures={"processes": processes, "callers": wanted,
                 "slowest process took_s": round(max(got.took_s for got in found), 3)},
    )  # fmt: skip


_together: Barrier | None = None


def _meet_at(barrier: Barrier) -> None:
    """In each process, before it works: a barrier is inherited, never sent."""
    global _together  # noqa: PLW0603 - a process is one crowd
    _together = barrier


def _besiege(crowd: _Crowd) -> _Got:
    return asyncio.run(_ask_at_once(crowd))


async def _ask_at_once(crowd: _Crowd) -> _Got:
    config = RpcConfig(nodes=(NodeUrl.parse(crowd.node),), allow_loopback=True)
    client = RpcClient(config)
    # As slow as it may be on a laptop: what is tried is who asks, not how soon. Nobody renews the
    # mark of whoever asks here, as a worker does.
    cache = TieredCache(
        CacheConfig(
            url=crowd.valkey, key=crowd.key, reply_s=5.0, connect_s=10.0, blind_s=math.inf,
            claim_s=_READY_S, wait_s=_READY_S, hard_s=_READY_S,
        ),
        breaker=Breaker("l2"),
    )  # fmt: skip

    async def make() -> Made:
        reply = await client.fetch([Call("web3_clientVersion", (), _decode)])
        return Made(reply.values, reply.raws, reply.node, Lifetime(_KEPT_S, _KEPT_S, ("loadtest",)))

    def read(raws: tuple[bytes, ...]) -> tuple[str, ...]:
        return tuple(map(_decode, raws))

    try:
        await cache.tick()
        has_l2 = cache.wire is not None
        if _together is not None:
            _together.wait(_READY_S)
        began = time.monotonic()
        hits = await asyncio.gather(
            *(cache.get_or_set(crowd.key, "tx", make, read) for _ in range(crowd.callers))
        )
        values = [hit.values for hit in hits]
        return _Got(
            answers=len(values),
            different=sum(value != values[0] or not value for value in values),
            took_s=time.monotonic() - began,
            has_l2=has_l2,
        )
    finally:
        await cache.aclose()
        await client.aclose()
