"""Answers from a bundle and from nothing else: the network of an offline verification."""

from collections.abc import Iterable, Sequence

import msgspec

from validation.evidence.bundle import Bundle, Chain, Exchange, minified
from validation.rpc import BadAnswer, Call, CallRefused, Reply, RpcError
from validation.validators import BlockRef, Verdict

_SHOWN = 200
REFUSED = {
    "receipts_not_served": ("eth_getBlockReceipts", -32601),
    "uncles_not_served": ("eth_getUncleByBlockHashAndIndex", -32601),
    "proof_not_served": ("eth_getProof", -32000),
    "proofs_not_supported": ("eth_getProof", -32601),
}
"""By the reason of an item that could not be verified: the method that its node refused, which is
granted, for a refusal is no answer; and the code that says so.
"""


class NotRecorded(RpcError):
    """A question that the bundle holds no answer to."""

    reason = "not_recorded"


class _Answer:
    __slots__ = ("is_used", "node", "raw")

    def __init__(self, node: str, raw: bytes) -> None:
        self.node = node
        self.raw = raw
        self.is_used = False


class Recorded:
    """A `Fetcher` and the `Others` of a bundle. A question that was answered twice is answered in
    that order, and from then on as the last time.
    """

    def __init__(
        self, exchanges: Iterable[Exchange], *, labels: Iterable[str] = (), reason: str = ""
    ) -> None:
        self._labels = tuple(labels)
        self._refused_method, self._refused_code = REFUSED.get(reason, ("", 0))
        self._answers: dict[tuple[str, bytes], list[_Answer]] = {}
        for exchange in exchanges:
            for question in exchange.questions:
                key = question.method, minified(question.params)
                answer = _Answer(exchange.node, minified(question.result))
                self._answers.setdefault(key, []).append(answer)
        self.refused: list[str] = []
        """Questions that it had no answer to."""

    @classmethod
    def of(cls, bundle: Bundle) -> "Recorded":
        outcome = bundle.outcome
        is_open = outcome.verdict is Verdict.UNVERIFIABLE
        return cls(
            bundle.exchanges,
            labels=bundle.context.others or (),
            reason=outcome.reason if is_open else "",
        )

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        del timeout_s, fresh
        return self._reply(calls, "")

    def labels(self) -> tuple[str, ...]:
        return self._labels

    async def fetch_from(
        self, node: str, calls: Sequence[Call], *, timeout_s: float | None = None
    ) -> Reply:
        del timeout_s
        return self._reply(calls, node)

    @property
    def unused(self) -> list[str]:
        """Questions whose answers nothing depended on."""
        return [
            _named(method, params)
            for (method, params), answers in self._answers.items()
            if not all(answer.is_used for answer in answers)
        ]

    def _reply(self, calls: Sequence[Call], node: str) -> Reply:
        if any(call.method == self._refused_method and not self._knows(call) for call in calls):
            text = f"the bundle says that {self._refused_method} was refused"
            raise CallRefused(text, code=self._refused_code, node=node)
        found = [self._answer(call, node) for call in calls]
        for answer in found:
            answer.is_used = True
        return Reply(
            tuple(_decoded(call, answer) for call, answer in zip(calls, found, strict=True)),
            node or found[0].node,
            tuple(answer.raw for answer in found),
        )

    def _knows(self, call: Call) -> bool:
        return (call.method, msgspec.json.encode(call.params)) in self._answers

    def _answer(self, call: Call, node: str) -> _Answer:
        params = msgspec.json.encode(call.params)
        known = [
            answer
            for answer in self._answers.get((call.method, params), ())
            if node in {"", answer.node}
        ]
        if not known:
            asked = _named(call.method, params)
            whom = f" of {node}" if node else ""
            if not node:  # another node may have been silent
                self.refused.append(asked)
            raise NotRecorded(f"the bundle holds no answer{whom} to {asked}", node=node)
        return next((answer for answer in known if not answer.is_used), known[-1])


class RecordedChain:
    """The `Finality` that a bundle tells: of its item's block, and of no other."""

    def __init__(self, chain: Chain, block: BlockRef | None) -> None:
        self._chain = chain
        self._block = block

    def final_number(self) -> int | None:
        return self._chain.final_number

    def is_settled(self, number: int, block_hash: str, /) -> bool:
        return self._chain.is_settled and self._block == BlockRef(number=number, hash=block_hash)

    def is_orphaned(self, block_hash: str, /) -> bool:
        block = self._block
        return self._chain.is_orphaned and block is not None and block.hash == block_hash


def _decoded(call: Call, answer: _Answer) -> object:
    try:
        return call.decode(answer.raw)
    except Exception as exc:
        raise BadAnswer(f"{call.method}: {exc}", node=answer.node) from exc


def _named(method: str, params: bytes) -> str:
    text = params.decode()
    return f"{method} {text if len(text) <= _SHOWN else text[:_SHOWN] + '…'}"
