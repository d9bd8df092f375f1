"""One item answered by two nodes: who lies is named, who tells the truth never."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.validators.sealed import GENESIS_TIME, Sealed, Serving, seal, sound
from tests.validators.test_block_contents import WithUncles, with_uncles
from tests.validators.world import CHAIN_ID, Json
from validation.rpc import Call, Reply
from validation.subjects import parse_subject
from validation.validators import Grounds, Outcome, Verdict, validate

type Told = dict[str, Callable[[Any], Any]]

BY_HASH, RECEIPTS, UNCLE = (
    "eth_getBlockByHash",
    "eth_getBlockReceipts",
    "eth_getUncleByBlockHashAndIndex",
)
QUESTIONS = {
    "the item": lambda place, _: place == 0,
    "the second answer": lambda place, _: place == 1,
    "the evidence": lambda _, calls: calls[-1].method == RECEIPTS,
    "a parent": lambda _, calls: calls[0].params[-1] is False,
    "uncles": lambda _, calls: calls[0].method == UNCLE,
}


class Split:
    """Asks the second of two nodes what `is_of_second` says, the first all else."""

    def __init__(
        self, first: Serving, second: Serving, is_of_second: Callable[[int, Sequence[Call]], bool]
    ) -> None:
        self.first, self.second = first, second
        self.is_of_second = is_of_second
        self.asked = 0

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        node = self.second if self.is_of_second(self.asked, calls) else self.first
        self.asked += 1
        return await node.fetch(calls, fresh=fresh)


def in_block(change: Callable[[Json], object]) -> Told:
    """Of the sealed block, whole or not; its parent is 0xf."""

    def tell(told: Any) -> Any:
        if told is not None and told["number"] == "0x10":
            change(told)
        return told

    return {BY_HASH: tell, "eth_getBlockByNumber": tell}


def of_tx(**changed: object) -> Told:
    def change(block: Json) -> None:
        if isinstance(block["transactions"][1], dict):
            block["transactions"][1].update(changed)

    return in_block(change)


def of_receipts(**changed: object) -> Told:
    def tell(told: Any) -> Any:
        told[1].update(changed)
        return told

    return {RECEIPTS: tell}


def of_parent(told: Any) -> Any:
    return told | {"gasUsed": "0x7"} if told["number"] == "0xf" else told


def of_named_parent(told: Any) -> Any:
    return told | {"hash": "0x" + "44" * 32} if told["number"] == "0xf" else told


LIES: dict[str, Told] = {
    "a price of a transaction": of_tx(gasPrice="0x77"),
    "a time of a transaction": of_tx(blockTimestamp="0x77"),
    "a sender": of_tx(**{"from": "0x" + "99" * 20}),
    "a dropped transaction": in_block(lambda block: block["transactions"].pop()),
    "a state root": in_block(lambda block: block.update(stateRoot="0x" + "44" * 32)),
    "the name of a block": in_block(lambda block: block.update(hash="0x" + "44" * 32)),
    "a price of a receipt": of_receipts(effectiveGasPrice="0x77"),
    "a time of a receipt": of_receipts(blockTimestamp="0x77"),
    "a status": of_receipts(status="0x0"),
    "gas of a receipt": of_receipts(gasUsed="0x77"),
    "a dropped receipt": {RECEIPTS: lambda told: told[:-1]},
    "a parent": {BY_HASH: of_parent},
    "the name of a parent": {BY_HASH: of_named_parent},
}
TIMES = {"a time of a transaction", "a time of a receipt"}


async def asked(fetcher: Any, subject: str) -> Outcome:
    grounds = Grounds(chain_id=CHAIN_ID, now=lambda: GENESIS_TIME + 600.0)
    return await validate(parse_subject(subject), level=3, fetcher=fetcher, grounds=grounds)


def caught(outcome: Outcome) -> set[str]:
    return {each.node for each in outcome.caught} if isinstance(outcome.caught, tuple) else set()


@pytest.fixture(scope="module")
def sealed() -> Sealed:
    return seal(sound([0, 2]))


@pytest.mark.parametrize("kind", ["block", "head", "tx"])
@pytest.mark.parametrize("lie", LIES)
async def test_only_who_lies_is_caught(sealed: Sealed, kind: str, lie: str) -> None:
    subject = {"block": f"block:{sealed.hash}", "head": "head"}.get(
        kind, f"tx:{sealed.block['transactions'][1]['hash']}"
    )
    found = 0
    for said in QUESTIONS.values():
        for liar in (0, 1):
            nodes = Serving(sealed, label="node-1"), Serving(sealed, label="node-2")
            nodes[liar].told = LIES[lie]
            outcome = await asked(Split(*nodes, said), subject)
            assert caught(outcome) <= {nodes[liar].label}, (outcome, liar)
            found += outcome.verdict is Verdict.INVALID and caught(outcome) == {nodes[liar].label}
    # What is said of transactions beside the evidence, and of parents, does not concern a receipt.
    assert found or lie in TIMES or kind == "tx"


@pytest.mark.parametrize("liar", [0, 1])
@pytest.mark.parametrize("lie", ["gas", "name", "list", "short list"])
async def test_who_lies_of_uncles_is_caught(liar: int, lie: str) -> None:
    block, uncles = with_uncles()
    nodes = WithUncles(block, label="node-1"), WithUncles(block, label="node-2")
    for node in nodes:
        node.uncles = [*uncles]
    if lie == "gas":
        nodes[liar].uncles[1] = uncles[1] | {"gasUsed": "0x1"}
    elif lie == "name":
        nodes[liar].uncles[1] = uncles[1] | {"hash": "0x" + "44" * 32}
    else:
        named = [uncle["hash"] for uncle in uncles]
        told = named[1:] if lie == "short list" else named[::-1]
        nodes[liar].told = in_block(lambda block: block.update(uncles=told))
    outcome = await asked(Split(*nodes, QUESTIONS["uncles"]), f"block:{block.hash}")
    tells = liar == (lie in {"gas", "name"})
    assert (outcome.verdict is Verdict.INVALID) == tells, outcome
    assert caught(outcome) <= {nodes[liar].label}
    # Of a list that is too short nobody knows whether it or the one uncle is wrong.
    assert bool(caught(outcome)) == (tells and lie != "short list")
