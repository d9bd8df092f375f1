"""What a cache knew may make an item valid or not found; nobody is accused on its word."""

from collections.abc import Sequence

import msgspec
import pytest

from tests.validators.world import CHAIN_ID, Json, Node, receipt_of, signed
from validation.rpc import Call, Reply, errors
from validation.subjects import parse_subject
from validation.validators import Outcome, Verdict, validate


class Remembering:
    """A cache in front of a node: what it holds is two minutes old."""

    def __init__(self, held: Node, node: Node) -> None:
        self.held = held
        self.node = node
        self.asked_afresh: list[bool] = []

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        self.asked_afresh.append(fresh)
        if fresh:
            return await self.node.fetch(calls)
        reply = await self.held.fetch(calls)
        return msgspec.structs.replace(reply, source="l1", age_s=120.0)


TX = signed(2)
BROKEN = TX | {"value": "0x1"}
UNKNOWN = TX | {"somethingNew": "0x1"}
PENDING = TX | {"blockHash": None, "blockNumber": None, "transactionIndex": None}


def node_with(tx: Json | None) -> Node:
    mined = tx is not None and tx["blockHash"] is not None
    return Node(
        {
            "eth_getTransactionByHash": tx,
            "eth_getTransactionReceipt": receipt_of(TX) if mined else None,
        }
    )


async def ask(fetcher: Remembering | Node) -> Outcome:
    subject = parse_subject(f"tx:{TX['hash']}")
    return await validate(subject, level=2, fetcher=fetcher, chain_id=CHAIN_ID)


def told(outcome: Outcome) -> Outcome:
    return msgspec.structs.replace(outcome, ms=0, source="", age_s=0)


@pytest.mark.parametrize(("tx", "verdict"), [(TX, Verdict.VALID), (None, Verdict.NOT_FOUND)])
async def test_it_differs_from_a_fresh_one_by_source_and_age_only(
    tx: Json | None, verdict: Verdict
) -> None:
    fetcher = Remembering(node_with(tx), node_with(tx))
    outcome = await ask(fetcher)
    assert (outcome.verdict, outcome.source, outcome.age_s) == (verdict, "l1", 120.0)
    assert fetcher.asked_afresh == [False]
    assert told(outcome) == told(await ask(node_with(tx)))


@pytest.mark.parametrize("held", [BROKEN, UNKNOWN, PENDING, TX | {"hash": 5}])
async def test_no_other_verdict_rests_on_it(held: Json) -> None:
    fetcher = Remembering(node_with(held), node_with(TX))
    outcome = await ask(fetcher)
    assert (outcome.verdict, outcome.source, outcome.age_s) == (Verdict.VALID, "node", 0.0)
    assert fetcher.asked_afresh == [False, True]


@pytest.mark.parametrize("held", [BROKEN, UNKNOWN, PENDING])
async def test_what_a_node_confirms_is_given(held: Json) -> None:
    outcome = await ask(Remembering(node_with(held), node_with(held)))
    assert outcome.verdict in {Verdict.INVALID, Verdict.UNVERIFIABLE}
    assert outcome.source == "node"
    assert told(outcome) == told(await ask(node_with(held)))


async def test_where_no_node_answers_nobody_is_accused() -> None:
    silent = Node({}, error=errors.NodeTimeout("no answer in 5 s", node="node-2"))
    outcome = await ask(Remembering(node_with(BROKEN), silent))
    assert (outcome.verdict, outcome.reason) == (Verdict.ERROR, "node_timeout")
    assert (outcome.node, outcome.source, outcome.block) == ("node-2", "node", None)
    assert [check.name for check in outcome.checks] == ["answered"]


async def test_a_reorganisation_between_the_answers_that_a_node_gives_afresh() -> None:
    """After a cache's, a node's two answers are compared twice, as without a cache."""
    node = node_with(TX)
    honest = node.answers["eth_getTransactionReceipt"]
    node.answers["eth_getTransactionReceipt"] = honest | {"blockHash": "0x" + "77" * 32, "logs": []}
    node.between = lambda answers: answers.update(eth_getTransactionReceipt=honest)
    fetcher = Remembering(node_with(BROKEN), node)
    assert (await ask(fetcher)).verdict is Verdict.VALID
    assert fetcher.asked_afresh == [False, True, True]


async def test_a_cache_that_answers_in_spite_of_it_gives_no_verdict() -> None:
    class Stubborn(Remembering):
        async def fetch(
            self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
        ) -> Reply:
            return await super().fetch(calls)

    outcome = await ask(Stubborn(node_with(BROKEN), node_with(TX)))
    assert (outcome.verdict, outcome.reason) == (Verdict.ERROR, "internal")
