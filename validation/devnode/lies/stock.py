"""What a liar has at hand: true answers, from which other truths and forgeries are made."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

type Document = dict[str, Any]


class Stock(Protocol):
    """True answers, decoded anew for each who asks: a lie may change them in place."""

    @property
    def memory(self) -> dict[str, Any]:
        """What the liar has said so far and must go on saying."""

    @property
    def proved_at(self) -> int:
        """The number of the block whose state `proofs` are of."""

    def say(self, method: str, *params: object) -> Any:
        """The true result; None where there is none or it is not at hand."""

    def proofs(self) -> Iterable[Document]:
        """`eth_getProof` of every account at hand, the same ones in the same order each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueStock:
    """`known` answers with the JSON of a result, or None; `addresses` are those it proves."""

    known: Callable[[str, Sequence[object]], bytes | None]
    proved_at: int
    addresses: Sequence[str]
    memory: dict[str, Any] = field(default_factory=dict)

    def say(self, method: str, *params: object) -> Any:
        raw = self.known(method, params)
        return None if raw is None else msgspec.json.decode(raw)

    def proofs(self) -> Iterable[Document]:
        block = hex(self.proved_at)
        found = (self.say("eth_getProof", address, [], block) for address in self.addresses)
        return (proof for proof in found if isinstance(proof, dict))
