"""Validates the head: the newest block of the node is well-formed and its header hashes.

That it is the newest block of the chain cannot be told from one answer: level 1 is the highest,
though the header's hash is checked all the same.
"""

from typing import Any

from validation.rpc import Call
from validation.rpc.answers import Unreadable, read_lean_block
from validation.subjects import Subject
from validation.validators.asking import Ask
from validation.validators.blocks import examine_header
from validation.validators.findings import Ending, Findings

HIGHEST_LEVEL = 1


def calls(subject: Subject) -> tuple[Call, ...]:
    del subject  # there is one head
    return (Call("eth_getBlockByNumber", ("latest", False), read_lean_block),)


async def examine(
    subject: Subject, values: Any, findings: Findings, *, level: int, ask: Ask
) -> Ending | None:
    del subject, ask
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
    findings.passed("well_formed")
    findings.known_fields(answer.unknown)
    examine_header(answer.value, findings, doubtful=bool(answer.unknown))
    return None
