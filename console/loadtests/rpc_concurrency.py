"""1 000 addresses validated at once: the node never sees more calls at a time than it may."""

import asyncio
from time import perf_counter

from console.loadtests.criteria import Outcome, at_most, exactly
from console.loadtests.node import Node, serving
from validation.engine import Engine
from validation.rpc import NodeUrl, RpcConfig
from validation.validators import Outcome as Validated
from validation.validators import Verdict

ITEMS = 1_000
MOST = 256
_LATENCY_MS = 20
_LEVEL = 1
_SOURCE = "000, load test 4"


def run() -> Outcome:
    """Raises DevnodeError."""
    with serving() as node:
        node.set(latency_ms=_LATENCY_MS)
        began = perf_counter()
        found, sockets = asyncio.run(_validate(node))
        took_s = perf_counter() - began
        seen = node.counters
    reasons = sorted({each.reason for each in found if each.verdict is Verdict.ERROR})
    return Outcome(
        criteria=(
            at_most("calls with the node at once", seen.max_calls_in_flight, MOST, source=_SOURCE),
            exactly("items that ended without a verdict of the node",
                    sum(each.verdict is Verdict.ERROR for each in found), 0, source=_SOURCE),
            exactly("items refused because sockets or places ran out",
                    sum(each.reason == "saturated" for each in found), 0, source=_SOURCE),
        ),
        figures={"items": len(found), "calls": seen.calls, "requests": seen.requests,
                 "sockets dialled": sockets, "took_s": round(took_s, 2),
                 "errors": ", ".join(reasons) or "none"},
    )  # fmt: skip


async def _validate(node: Node) -> tuple[list[Validated], int]:
    # Addresses that nobody used: as in the source, all differ, so that none shares an answer.
    subjects = [f"address:0x{number:040x}" for number in range(1, ITEMS + 1)]
    config = RpcConfig(
        nodes=(NodeUrl.parse(node.url),),
        chain_id=node.chain.chain_id,
        allow_loopback=True,
        max_in_flight=MOST,
    )
    engine = Engine.on(config)
    try:
        # Each at once, not in the 256 turns of a chunk: the client's limits are what is tried.
        found = await asyncio.gather(
            *(engine.validate_one(subject, level=_LEVEL) for subject in subjects)
        )
        return list(found), sum(pool.dialled for pool in engine.client.pools())
    finally:
        await engine.client.aclose()
