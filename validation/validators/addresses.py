"""Validates an address: its checksum, and what is proved of its account at one block.

Nothing that a node says about an account can be checked without a proof, so there is nothing to
verify between levels 1 and 3: who asks for level 2 gets what level 3 verifies.
"""

from typing import Any

from validation.rpc import Call
from validation.rpc.answers import (
    Unreadable,
    read_data,
    read_lean_block,
    read_quantity,
    read_quantity_64,
)
from validation.rpc.schema import Header
from validation.subjects import Subject
from validation.validators import accounts, anchored
from validation.validators.asking import Ask
from validation.validators.crypto import checksum_address
from validation.validators.findings import Ending, Findings
from validation.validators.header import header_hash
from validation.validators.outcome import Verdict
from validation.validators.shared_finals import FINAL_TAG

HIGHEST_LEVEL = 5
EARNED_BY = {
    3: frozenset({"header_hash", "account", "balance", "nonce", "code"}),
    **anchored.EARNED_BY,
}

_UNPROVED, _PROVED, _FINAL = 1, 3, 5


def calls(subject: Subject, level: int = _UNPROVED) -> tuple[Call, ...]:
    """The account as it is now; to prove it, the header of the block that it is proved at, which
    all addresses of the moment share.
    """
    if level > _UNPROVED:
        tag = FINAL_TAG if level == _FINAL else "latest"
        return (Call("eth_getBlockByNumber", (tag, False), read_lean_block),)
    params = (subject.address, "latest")
    return (
        Call("eth_getBalance", params, read_quantity),
        Call("eth_getTransactionCount", params, read_quantity_64),
        Call("eth_getCode", params, read_data),
    )


async def examine(
    subject: Subject, values: Any, findings: Findings, *, level: int, ask: Ask
) -> Ending | None:
    findings.passed("answered")
    if level > _UNPROVED:
        return await _examine_proved(subject, values[0], findings, level=level, ask=ask)
    ending = findings.malformed(*values)
    if ending is not None or level < 1:
        return ending
    findings.passed("well_formed")
    _examine_checksum(subject, findings)
    if subject.slots:
        text = f"slots are proved from level {_PROVED} on"
        findings.skip("storage", "level_not_reached", text)
    return None


async def _examine_proved(
    subject: Subject, answer: Any, findings: Findings, *, level: int, ask: Ask
) -> Ending | None:
    if answer is None and level == _FINAL:
        findings.skip("final", "no_finalized_tag", f"{findings.node} names no final block")
        return Ending(Verdict.UNVERIFIABLE, "no_finalized_tag")
    ending = findings.malformed(answer or Unreadable("the newest block is null"))
    if ending is not None:
        return ending
    _examine_checksum(subject, findings)
    header: Header = answer.value
    if _examine_header(header, answer.unknown, findings):
        findings.stands_in(header.number, header.hash)
        ending = await accounts.examine(subject, header, findings, ask=ask)
    if ending is not None:
        return ending
    verdict, reached, reason = findings.verdict(asked=_PROVED, worked=_PROVED)
    if reached < _PROVED or verdict is not Verdict.VALID:
        return Ending(verdict, reason, min(reached, _UNPROVED))
    await anchored.examine(int(header.number, 16), header.hash, findings, level=level, ask=ask)
    return None


def _examine_checksum(subject: Subject, findings: Findings) -> None:
    written = subject.address[2:]
    if written != written.lower() and written != written.upper():
        computed = checksum_address(subject.address)
        is_right = computed == subject.address
        flaw = "" if is_right else f"computed {computed}, it was written {subject.address}"
        findings.settle("checksum", flaw)


def _examine_header(header: Header, unknown: tuple[str, ...], findings: Findings) -> bool:
    """Whether the header may be built on. A field that nothing here knows does no harm where the
    rest hashes to the hash.
    """
    computed, claimed = header_hash(header), header.hash.lower()
    if unknown and computed != claimed:
        text = f"{', '.join(unknown)} may be a part of the header of block {claimed}"
        findings.skip("header_hash", "unknown_field", text)
        return False
    findings.match("header_hash", computed=computed, claimed=claimed)
    return computed == claimed
