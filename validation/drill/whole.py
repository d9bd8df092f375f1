"""The whole drill against one node: gather, then lie."""

from dataclasses import replace

from validation.drill.gathering import gather
from validation.drill.report import Report
from validation.drill.running import Trust, run
from validation.drill.said import Remembered
from validation.drill.tape import MOST_CALLS, Tape
from validation.rpc import RpcClient, RpcConfig


async def drill(
    trust: Trust,
    *,
    others: RpcConfig | None = None,
    most_s: float = 60.0,
    most_calls: int = MOST_CALLS,
) -> Report:
    """Against the one node of `trust.config`; `others` are asked what is final, and not lied for.

    DrillError where the node gives nothing to drill with, RpcError where it cannot be asked.
    """
    client = RpcClient(replace(trust.config, chain_id=None))
    honest = RpcClient(others) if others else None
    try:
        tape = Tape(client, most_calls=most_calls)
        items = await gather(tape, trust.checkpoint)
        if honest is not None:
            trust = replace(trust, others=Remembered(honest))
        return await run(tape, items, trust, most_s=most_s, calls=lambda: tape.asked)
    finally:
        await client.aclose()
        if honest is not None:
            await honest.aclose()
