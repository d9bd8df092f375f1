"""What a node's answers mean: one finding a question, pass, fail or skip, with a sentence."""

import time
from typing import Any, Literal

import msgspec

from validation.checkpoint import Checkpoint
from validation.rpc import CallRefused, NodeUrl, RpcError
from validation.rpc.answers import Answer
from validation.validators.header import header_hash

_SLOW_MS = 1_000.0
_HINTS = {
    "http_status": "Is the path or the key in its URL right?",
    "bad_answer": "Is it a JSON-RPC node at all?",
    "rate_limited": "It is well, and wants fewer calls.",
    "address_refused": "Add its network to NODE_PRIVATE_NETWORKS if it is yours.",
}

type Status = Literal["pass", "fail", "skip"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One question to the node, and what came of it in a sentence."""

    name: str
    status: Status
    said: str


class NodeTest(msgspec.Struct, frozen=True, kw_only=True):
    """What a node could do just now. Figures are None where it did not tell."""

    node: str
    """Its label."""
    findings: tuple[Finding, ...]
    ms: float
    """How long all of it took."""
    chain_id: int | None = None
    head: int | None = None
    finalized: int | None = None
    client_version: str = ""
    latency_ms: float | None = None

    @property
    def passed(self) -> bool:
        return not self.failed

    @property
    def failed(self) -> int:
        """How many questions it failed."""
        return sum(finding.status == "fail" for finding in self.findings)


def answers(told: Any, ms: float) -> Finding:
    if isinstance(told, RpcError) and not isinstance(told, CallRefused):
        hint = _HINTS.get(told.reason, "Is it running, and is the URL right?")
        return failed("answers", f"{_sentence(told.message)} {hint}")
    return _passed("answers", f"Answered the first question after {ms:.0f} ms.")


def chain(told: Any, expected: int | None) -> Finding:
    if isinstance(told, RpcError):
        return failed("chain", f"eth_chainId: {_sentence(told.message)}")
    if told is None:
        return failed("chain", "eth_chainId is not a number in hex: no Ethereum node speaks so.")
    if expected is None:
        text = f"Chain {told}. NODE_CHAIN_ID is not set, so nothing says whether that is yours."
        return skipped("chain", text)
    if told != expected:
        text = f"Chain {told}, and NODE_CHAIN_ID is {expected}: its answers never count."
        return failed("chain", text)
    return _passed("chain", f"Chain {told}, as NODE_CHAIN_ID says.")


def head(told: Any) -> Finding:
    if flaw := _block_flaw(told, "The newest block"):
        return failed("head", flaw)
    age = _span(max(0, int(time.time()) - int(told.value.timestamp, 16)))
    return _passed("head", f"Block {number_of(told):,}, made {age} ago; its hash is right.")


def trusted(told: Any, checkpoint: Checkpoint | None) -> Finding:
    if checkpoint is None:
        return skipped("checkpoint", "CHECKPOINT is not set: level 4 has nothing to link to.")
    number = f"{checkpoint.number:,}"
    if flaw := _block_flaw(told, f"Block {number} of CHECKPOINT"):
        return failed("checkpoint", f"{flaw} Level 4 cannot be settled with this node alone.")
    if (has := told.value.hash.lower()) != checkpoint.hash:
        text = f"Says {has} for block {number}, and CHECKPOINT is {checkpoint.hash}: "
        return failed("checkpoint", f"{text}another chain, or a node that lies.")
    return _passed("checkpoint", f"Has block {number} with the hash of CHECKPOINT.")


def receipts(told: Any) -> Finding:
    if isinstance(told, int):
        many = f"{told} receipt{'' if told == 1 else 's'}"
        return _passed("receipts", f"Serves eth_getBlockReceipts: {many} of the head's block.")
    lacks = _lacking("eth_getBlockReceipts", told)
    return failed("receipts", f"{lacks} Level 3 of transactions and blocks needs it.")


def proofs(told: Any) -> Finding:
    if told is True:
        return _passed("proofs", "Serves eth_getProof at the head.")
    lacks = _lacking("eth_getProof", told)
    return failed("proofs", f"{lacks} Level 3 of addresses needs it.")


def version(told: Any, node: NodeUrl) -> Finding:
    if isinstance(told, str):
        return _passed("version", f"{words(told, node)}.")
    return skipped("version", "It does not tell which software it is; some providers do not.")


def words(told: str, node: NodeUrl) -> str:
    """A node may echo what it was sent: without any part of its URL, on one line, and short."""
    text = " ".join(node.scrub(told).split())
    return "".join(char for char in text if char.isprintable())[:120] or "a version without a word"


def _passed(name: str, said: str) -> Finding:
    return Finding(name=name, status="pass", said=said)


def failed(name: str, said: str) -> Finding:
    return Finding(name=name, status="fail", said=said)


def skipped(name: str, said: str) -> Finding:
    return Finding(name=name, status="skip", said=said)


def finalized(told: Any, head: int | None) -> Finding:
    if flaw := _block_flaw(told, "The finalized block"):
        return failed("finalized", f"{flaw} Level 5 cannot be settled with this node alone.")
    number = int(told.value.number, 16)
    if head is not None and number > head:
        text = f"Block {number:,} is called final, and the head is {head:,}: they contradict."
        return failed("finalized", text)
    behind = "" if head is None else f", {head - number:,} behind its head"
    return _passed("finalized", f"Block {number:,}{behind}.")


def latency(ms: float | None) -> Finding:
    if ms is None:
        return failed("latency", "The second question had no answer: it may refuse to be asked so.")
    if ms > _SLOW_MS:
        return failed("latency", f"{ms:,.0f} ms for the smallest question: runs would crawl.")
    return _passed("latency", f"{ms:.1f} ms for the smallest question, there and back.")


def _block_flaw(told: Any, what: str) -> str:
    """Why there is no block to speak of, or ""."""
    if isinstance(told, RpcError):
        return f"{what}: {_sentence(told.message)}"
    if told is None:
        return f"{what} is null: the node does not have it."
    if not isinstance(told, Answer):
        return f"{what} is malformed: {_sentence(told.detail)}"
    # A field that nobody here knows may be part of the header: then its hash proves nothing.
    if not told.unknown and header_hash(told.value) != told.value.hash.lower():
        return f"{what} does not hash to the hash that it names: the node lies, or is broken."
    return ""


def number_of(told: Any) -> int | None:
    return int(told.value.number, 16) if isinstance(told, Answer) else None


def _lacking(method: str, told: Any) -> str:
    if isinstance(told, RpcError):
        return f"Does not serve {method}: {_sentence(told.message)}"
    return f"Answers {method} with something else than it returns."


def _sentence(text: str) -> str:
    text = text.strip()[:300]
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"


def _span(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:,} {unit}"
    return f"{seconds} s"
