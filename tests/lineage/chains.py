"""Chains of headers, hashed by `rlp` and no code under test, and nodes that tell of them."""

import asyncio
import json
import time
from collections.abc import Callable, Collection, Sequence

from tests.validators.world import EXTRAS, Json, hash_header, header_at
from validation.checkpoint import Checkpoint
from validation.rpc import Call, Reply, RpcError
from validation.validators import Ask, Grounds
from validation.validators.timeline import Timeline


def header(number: int, parent: str, mark: int = 0, **changed: str) -> Json:
    """`mark` tells forks apart."""
    fields = header_at("london") | {
        "number": hex(number),
        "parentHash": parent,
        "extraData": f"0x{mark:010x}",
        **changed,
    }
    return {"hash": hash_header(fields), **fields, **EXTRAS, "transactions": []}


def grown(base: Sequence[Json], to: int, mark: int = 0) -> list[Json]:
    """`base` and what is built on it, up to block `to`."""
    chain = list(base)
    for number in range(len(chain), to + 1):
        chain.append(header(number, chain[-1]["hash"] if chain else "0x" + "00" * 32, mark))
    return chain


def trusted(chain: Sequence[Json], number: int) -> Checkpoint:
    return Checkpoint(number, chain[number]["hash"])


class Chain:
    """A fetcher over a chain. `told` may change what it answers, after it is looked up."""

    def __init__(self, chain: Sequence[Json], label: str = "node-1") -> None:
        self.chain = list(chain)
        self.label = label
        self.asked: list[str] = []
        self.fetches = 0
        self.told: Callable[[int, Json | None], Json | None] = lambda _number, block: block
        self.before: Callable[[], None] = lambda: None
        self.error: RpcError | None = None

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        self.fetches += 1
        self.before()
        await asyncio.sleep(0)  # as a node would: others run meanwhile
        if self.error is not None:
            raise self.error
        raws = tuple(json.dumps(self._block(call)).encode() for call in calls)
        values = tuple(call.decode(raw) for call, raw in zip(calls, raws, strict=True))
        return Reply(values, self.label, raws)

    def _block(self, call: Call) -> Json | None:
        tag = str(call.params[0])
        self.asked.append(tag)
        number = int(tag, 16)
        found = self.chain[number] if number < len(self.chain) else None
        return self.told(number, found)


class Now:
    """A clock that moves where it is moved."""

    def __init__(self) -> None:
        self.s = 1_000.0

    def __call__(self) -> float:
        return self.s


class View:
    """A `Finality` by heart."""

    def __init__(self, *, final: int, orphans: Collection[str] = ()) -> None:
        self._final = final
        self._orphans = orphans

    def final_number(self) -> int:
        return self._final

    def is_settled(self, number: int, _: str, /) -> bool:
        return number <= self._final

    def is_orphaned(self, block_hash: str, /) -> bool:
        return block_hash in self._orphans


def ask_of(
    node: Chain, *, fresh: bool = False, explain: bool = False, finality: View | None = None
) -> Ask:
    timeline = Timeline(time.perf_counter) if explain else None
    return Ask(node, Grounds(finality=finality), fresh=fresh, timeline=timeline)
