"""The whole drill against one node: gather, then lie."""

from dataclasses import replace

from validation.drill.gathering import gather
from validation.drill.report import Report
from validation.drill.running import Trust, run
from validation.drill.tape import MOST_CALLS, Tape
from validation.rpc import RpcClient


async def drill(trust: Trust, *, most_s: float = 60.0, most_calls: int = MOST_CALLS) -> Report:
    """Against the one node of `trust.config`.

    DrillError where the node gives nothing to drill with, RpcError where it cannot be asked.
    """
    client = RpcClient(replace(trust.config, chain_id=None))
    try:
        tape = Tape(client, most_calls=most_calls)
        items = await gather(tape, trust.checkpoint)
        return await run(tape, items, trust, most_s=most_s, calls=lambda: tape.asked)
    finally:
        await client.aclose()
