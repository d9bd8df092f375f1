"""Validates the head: the newest block of the node, from level 2 on as the block it is.

That it is the newest block of the chain cannot be told from one answer.
"""

from typing import Any

from validation.rpc import Call
from validation.rpc.answers import Answer, Unreadable, read_block, read_lean_block
from validation.rpc.schema import Block
from validation.subjects import Subject
from validation.validators import blocks
from validation.validators.asking import Ask
from validation.validators.findings import Ending, Findings
from validation.validators.header import header_hash

HIGHEST_LEVEL = 4
EARNED_BY = blocks.EARNED_BY


def calls(subject: Subject, level: int = 1) -> tuple[Call, ...]:
    del level  # what more it takes is asked once the block is known
    del subject  # there is one head
    return (Call("eth_getBlockByNumber", ("latest", False), read_lean_block),)


async def examine(
    subject: Subject, values: Any, findings: Findings, *, level: int, ask: Ask
) -> Ending | None:
    del subject
    (answer,) = values
    findings.passed("answered")
    if answer is None:
        answer = Unreadable("the newest block is null")
    ending = findings.malformed(answer)
    if ending is not None:
        return ending
    findings.stands_in(answer.value.number, answer.value.hash)
    if level < 1:
        return None
    if level == 1:
        _examine_lean(answer, findings)
        return None
    return await _examine_whole(answer, findings, level=level, ask=ask)


def _examine_lean(answer: Answer, findings: Findings) -> None:
    findings.passed("well_formed")
    findings.known_fields(answer.unknown)
    blocks.examine_header(answer.value, findings, doubtful=bool(answer.unknown))


async def _examine_whole(
    head: Answer, findings: Findings, *, level: int, ask: Ask
) -> Ending | None:
    """Asked for by its hash, so that it is the block that was the newest."""
    block_hash = head.value.hash.lower()
    if header_hash(head.value) != block_hash:
        _examine_lean(head, findings)  # nothing else of it is worth asking for
        return None
    reply = await ask.fetch((Call("eth_getBlockByHash", (block_hash, True), read_block),))
    (answer,) = reply.values
    ending = findings.malformed(answer)
    if ending is not None:
        return ending
    if answer is None:
        _examine_lean(head, findings)
        text = f"{reply.node} no longer knows block {block_hash}"
        findings.skip("transactions", "block_not_served", text)
        return None
    block: Block = answer.value
    named = [tx.hash.lower() for tx in block.transactions]
    is_it = block.hash.lower() == block_hash
    if is_it and named != [each.lower() for each in head.value.transactions]:
        findings.passed("well_formed")
        text = f"{findings.node} names other transactions of block {block_hash} than the block has"
        # Which of the two is right, the block's root has not told yet.
        findings.fail("positions", text, node=reply.node if reply.node == findings.node else None)
        return None
    findings.node = reply.node  # who gave the block is to blame for what follows
    blocks.examine_form(block_hash, block, answer.unknown, findings)
    return await blocks.examine_above(block, answer.unknown, findings, level=level, ask=ask)
