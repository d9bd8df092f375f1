"""A chain that can be reorganised, and a node that tells of it: headers hash as they should."""

import json
from collections.abc import Sequence
from functools import lru_cache

from tests.validators.world import EXTRAS, Json, hash_header, header_at
from validation.rpc import Call, CallRefused, Reply, RpcError
from validation.validators import BlockRef

_GENESIS_PARENT = "0x" + "00" * 32


@lru_cache(maxsize=100_000)
def _sealed(number: int, parent: str, salt: int) -> Json:
    header = header_at("prague") | {
        "number": hex(number),
        "parentHash": parent,
        "extraData": f"0x{salt:08x}",
    }
    return {"hash": hash_header(header), **header, **EXTRAS, "transactions": []}


class Chain:
    """Blocks from 0; `mine` adds some, `reorganise` replaces the newest by others."""

    def __init__(self, length: int = 1) -> None:
        self.blocks: list[Json] = []
        self.ever: dict[str, Json] = {}
        self._salt = 0
        self.mine(length)

    def mine(self, count: int = 1) -> None:
        for _ in range(count):
            self._salt += 1
            parent = self.blocks[-1]["hash"] if self.blocks else _GENESIS_PARENT
            block = _sealed(len(self.blocks), parent, self._salt)
            self.blocks.append(block)
            self.ever[block["hash"]] = block

    def reorganise(self, depth: int, new: int | None = None) -> list[BlockRef]:
        """Replaces the newest `depth` blocks by `new` (as many); returns those that are gone."""
        gone = self.blocks[len(self.blocks) - depth :]
        del self.blocks[len(self.blocks) - depth :]
        self.mine(depth if new is None else new)
        return [ref(block) for block in gone]

    def return_to(self, blocks: list[Json]) -> None:
        """The chain as it was once."""
        self.blocks = list(blocks)

    @property
    def head(self) -> BlockRef:
        return ref(self.blocks[-1])

    def at(self, number: int) -> BlockRef:
        return ref(self.blocks[number])


def ref(block: Json) -> BlockRef:
    return BlockRef(number=int(block["number"], 16), hash=block["hash"])


class ChainNode:
    """Answers as a node on `chain` does, `lag` blocks late; `final` is how deep blocks are final.

    `final` None: it refuses the tag, as nodes from before it do.
    """

    def __init__(self, chain: Chain, *, final: int | None = None) -> None:
        self.chain = chain
        self.final = final
        self.lag = 0
        self.error: RpcError | None = None
        self.lies: dict[str, Json] = {}
        """What it says instead, by the hash of the block it should have told."""
        self.asked: list[tuple[Call, ...]] = []
        self.rounds = 0

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        assert fresh, "the chain is followed at the nodes, not at a cache"
        self.asked.append(tuple(calls))
        if self.error is not None:
            raise self.error
        values = tuple(call.decode(json.dumps(self._answer(call)).encode()) for call in calls)
        return Reply(values, "node-1")

    def _answer(self, call: Call) -> Json | None:
        told = self._truth(call)
        return told if told is None else self.lies.get(told["hash"], told)

    def _truth(self, call: Call) -> Json | None:
        blocks = self.chain.blocks[: len(self.chain.blocks) - self.lag]
        wanted = str(call.params[0])
        if call.method == "eth_getBlockByHash":
            return self.chain.ever.get(wanted)
        if wanted == "latest":
            return blocks[-1]
        if wanted == "finalized":
            if self.final is None:
                raise CallRefused("finalized block not found", code=-39001, node="node-1")
            place = len(blocks) - 1 - self.final
            return blocks[place] if place >= 0 else None
        number = int(wanted, 16)
        return blocks[number] if number < len(blocks) else None
