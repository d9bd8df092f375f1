"""Whether the headers that link an item's block to the checkpoint are among what was heard of it.

Items of one engine share what links them, so a later one is linked by headers that an earlier one
asked for. Without them nobody could verify its bundle.
"""

import time
from collections.abc import Sequence

from msgspec import structs

from validation.checkpoint import Checkpoint
from validation.lineage import lineage_to
from validation.rpc import Call, RpcError
from validation.validators import BlockRef, Fetcher, Grounds, Heard, Outcome, Status
from validation.validators.asking import Ask
from validation.validators.timeline import Timeline

_ANCHORED = "anchored"


def are_heard(outcome: Outcome, heard: Sequence[Heard], checkpoint: Checkpoint | None) -> bool:
    """True also where the verdict rests on no link. Where the link failed it is enough that a walk
    from the checkpoint was heard: it ends at the flaw.
    """
    block = outcome.block
    status = next((check.status for check in outcome.checks if check.name == _ANCHORED), None)
    if block is None or checkpoint is None or status not in {Status.PASS, Status.FAIL}:
        return True
    needed = _walk(block, checkpoint)
    given = _numbers(heard)
    if status is Status.FAIL:
        return needed[0] in given
    return block.number == checkpoint.number or given.issuperset(needed)


async def completed(
    outcome: Outcome, heard: Sequence[Heard], *, fetcher: Fetcher, grounds: Grounds
) -> Sequence[Heard]:
    """With the headers that are missing, asked for now; as it was where no node gives them."""
    block = outcome.block
    lineage = lineage_to(grounds.checkpoint)
    if block is None or lineage is None or are_heard(outcome, heard, grounds.checkpoint):
        return heard
    ask = Ask(fetcher, grounds, timeline=Timeline(time.perf_counter))
    try:
        await lineage.link(block.number, block.hash.lower(), ask)
    except RpcError:
        return heard
    given = _numbers(heard)
    return [*heard, *(each for each in _apart(ask.heard) if not _numbers([each]) <= given)]


def _walk(block: BlockRef, checkpoint: Checkpoint) -> Sequence[int]:
    """Which headers are asked for, in that order."""
    if block.number == checkpoint.number:
        return (block.number,)
    if block.number > checkpoint.number:
        return range(checkpoint.number + 1, block.number + 1)
    return range(checkpoint.number, block.number - 1, -1)


def _numbers(heard: Sequence[Heard]) -> set[int]:
    return {_number(call) for each in heard for call in each.calls} - {-1}


def _number(call: Call) -> int:
    """Of the header that it asks for by number; -1 for any other question."""
    match call.method, call.params:
        case "eth_getBlockByNumber", (str(number), False) if number.startswith("0x"):
            return int(number, 16)
        case _:
            return -1


def _apart(heard: Sequence[Heard]) -> list[Heard]:
    """One for each question."""
    return [
        Heard((call,), structs.replace(each.reply, values=(value,), raws=(raw,)))
        for each in heard
        for call, value, raw in zip(each.calls, each.reply.values, each.reply.raws, strict=True)
    ]
