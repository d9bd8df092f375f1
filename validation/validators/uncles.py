"""The uncles of a block, which there were until the merge: asked for, and hashed as a list."""

from validation.rpc import Call, CallRefused, Reply
from validation.rpc.answers import read_uncle
from validation.rpc.schema import Block
from validation.validators import rlp
from validation.validators.asking import Ask
from validation.validators.crypto import keccak_hex
from validation.validators.findings import Ending, Findings, mismatch
from validation.validators.header import encode_header

_NONE = "0x" + keccak_hex(rlp.EMPTY_LIST)
_MOST = 2
"""No block has had more."""


async def examine(block: Block, findings: Findings, *, ask: Ask) -> Ending | None:
    claimed = block.sha3_uncles.lower()
    named = block.uncles or ()
    if claimed == _NONE or not named or len(named) > _MOST:
        computed = _NONE if not named else f"the hash of {len(named)} uncles"
        findings.match("uncles_hash", computed=computed, claimed=claimed)
        return None
    params = [(block.hash.lower(), hex(index)) for index in range(len(named))]
    method = "eth_getUncleByBlockHashAndIndex"
    try:
        reply = await ask.fetch([Call(method, each, read_uncle) for each in params])
    except CallRefused as refusal:
        if refusal.retryable:
            raise
        findings.skip("uncles_hash", "uncles_not_served", str(refusal))
        return None
    ending = findings.malformed(*reply.values)
    if ending is not None:
        return ending
    if None in reply.values:
        text = f"{reply.node} does not know every uncle of block {block.hash}"
        findings.skip("uncles_hash", "uncles_not_served", text)
        return None
    _compare(block, named, reply, findings)
    return None


def _compare(block: Block, named: tuple[str, ...], reply: Reply, findings: Findings) -> None:
    claimed = block.sha3_uncles.lower()
    unknown = [name for answer in reply.values for name in answer.unknown]
    headers = [encode_header(answer.value) for answer in reply.values]
    computed = "0x" + keccak_hex(rlp.sequence("".join(headers)))
    if unknown and computed != claimed:
        text = f"{', '.join(unknown)} may be a part of an uncle's header"
        findings.skip("uncles_hash", "unknown_field", text)
        return
    hashes = ["0x" + keccak_hex(header) for header in headers]
    labels = [answer.value.hash.lower() for answer in reply.values]
    listed = [each.lower() for each in named]
    if labels != hashes:
        flaw = mismatch(", ".join(hashes), ", ".join(labels), "the hashes of uncles")
        findings.settle("uncles_hash", flaw, node=reply.node)
    elif computed != claimed:
        blamed = _blamed(hashes, listed, reply, findings)
        findings.match("uncles_hash", computed=computed, claimed=claimed, node=blamed)
    else:
        computed, claimed = ", ".join(hashes), ", ".join(listed)
        findings.match("uncles_hash", computed=computed, claimed=claimed)


def _blamed(hashes: list[str], listed: list[str], reply: Reply, findings: Findings) -> str | None:
    """For headers that the block does not commit to: who gave them, unless who gave the block may
    have named too few, so that not all were asked for.
    """
    if len(listed) == _MOST or reply.node == findings.node:
        return reply.node
    return findings.node if hashes == listed else None
