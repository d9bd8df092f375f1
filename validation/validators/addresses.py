"""Validates an address: balance, nonce and code are well-formed, its checksum is right.

Nothing that a node says about an account can be checked without a proof: level 1 is the highest.
"""

from typing import Any

from validation.rpc import Call
from validation.rpc.answers import read_data, read_quantity, read_quantity_64
from validation.subjects import Subject
from validation.validators.asking import Ask
from validation.validators.crypto import checksum_address
from validation.validators.findings import Ending, Findings

HIGHEST_LEVEL = 1


def calls(subject: Subject) -> tuple[Call, ...]:
    params = (subject.value, "latest")
    return (
        Call("eth_getBalance", params, read_quantity),
        Call("eth_getTransactionCount", params, read_quantity_64),
        Call("eth_getCode", params, read_data),
    )


async def examine(
    subject: Subject, values: Any, findings: Findings, *, level: int, ask: Ask
) -> Ending | None:
    del ask  # an address is the same on every chain
    findings.passed("answered")
    ending = findings.malformed(*values)
    if ending is not None or level < 1:
        return ending
    findings.passed("well_formed")
    written = subject.value[2:]
    if written != written.lower() and written != written.upper():
        computed = checksum_address(subject.value)
        is_right = computed == subject.value
        flaw = "" if is_right else f"computed {computed}, it was written {subject.value}"
        findings.settle("checksum", flaw)
    return None
