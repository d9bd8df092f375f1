"""A node that errs, lags, or lies of its chain makes nothing an orphan."""

import asyncio
from collections.abc import Callable

import pytest

from tests.heads.chain import Chain, ChainNode
from tests.heads.test_following import following
from tests.validators.world import Json, hash_header
from validation.heads import ChainView
from validation.rpc import NodeTimeout


async def test_one_that_errs_is_asked_again_and_what_was_known_stays() -> None:
    chain = Chain(100)
    node = ChainNode(chain, final=10)
    view, told = await following(node)
    known = view.head
    gone = chain.reorganise(1)
    node.error = NodeTimeout("no answer in 5 s", node="node-1")
    assert not await view.poll()
    assert (view.head, view.failures) == (known, 1)
    node.error = None
    assert await view.poll()
    assert told.blocks == gone


async def test_one_that_lags_takes_nothing_back() -> None:
    chain = Chain(100)
    node = ChainNode(chain, final=10)
    view, told = await following(node, polls=3)
    for lag in (1, 5, 30, 0):
        node.lag = lag
        assert await view.poll()
        assert view.head == chain.head
    assert told.news == []


async def test_one_that_lags_behind_all_that_is_known_is_waited_for_then_believed() -> None:
    chain = Chain(1_000)
    node = ChainNode(chain, final=10)
    view, told = await following(node)
    node.lag = 500
    for _ in range(29):
        assert await view.poll()
    assert view.head == chain.head
    for _ in range(2):
        assert await view.poll()
    assert (view.head, view.final_number()) == (chain.at(499), 489)
    assert told.news == []


def forged(block: Json, **fields: str) -> Json:
    header = {
        name: held
        for name, held in block.items()
        if name not in {"hash", "size", "totalDifficulty", "uncles", "withdrawals", "transactions"}
    } | fields
    return block | fields | {"hash": hash_header(header)}


async def test_a_parent_that_does_not_hash_is_not_believed() -> None:
    chain = Chain(100)
    node = ChainNode(chain, final=10)
    view, told = await following(node)
    chain.mine()
    head = chain.blocks[-1]
    node.lies[head["hash"]] = head | {"parentHash": "0x" + "ee" * 32}
    assert not await view.poll()
    assert told.news == []
    node.lies.clear()
    assert await view.poll()
    assert (view.head, told.news) == (chain.head, [])


async def test_nor_is_a_made_up_head_whose_parents_nobody_has() -> None:
    chain = Chain(100)
    node = ChainNode(chain, final=10)
    view, told = await following(node)
    known = view.head
    chain.mine()
    head = chain.blocks[-1]
    node.lies[head["hash"]] = forged(head, parentHash="0x" + "ee" * 32)
    assert not await view.poll()
    assert (view.head, told.news) == (known, [])


@pytest.mark.parametrize("answer", [{"hash": "0x1"}, {"number": "0x0"}])
async def test_malformed_heads_and_other_blocks_are_no_news(answer: Json) -> None:
    chain = Chain(100)
    node = ChainNode(chain, final=10)
    view, told = await following(node)
    chain.mine()
    head = chain.blocks[-1]
    node.lies[head["hash"]] = head | answer
    assert not await view.poll()
    assert told.news == []


async def test_a_final_block_of_another_chain_is_not_believed() -> None:
    chain, other = Chain(100), Chain(1)
    other.reorganise(1, new=200)
    node = ChainNode(chain, final=3)
    view, _ = await following(node, polls=3)
    chain.mine(4)
    final = chain.blocks[-4]
    node.lies[final["hash"]] = other.blocks[len(chain.blocks) - 4]
    assert not await view.poll()
    assert view.final_number() == 96


async def test_a_node_that_never_links_costs_a_bounded_number_of_calls() -> None:
    """By number it tells another chain than by hash."""

    class TwoFaced(ChainNode):
        def _truth(self, call: object) -> Json | None:
            told = super()._truth(call)  # type: ignore[arg-type]
            by_number = call.method == "eth_getBlockByNumber"  # type: ignore[attr-defined]
            plain = by_number and str(call.params[0]).startswith("0x")  # type: ignore[attr-defined]
            return other.blocks[int(told["number"], 16)] if plain and told else told

    other = Chain(1)
    other.reorganise(1, new=400)
    chain = Chain(100)
    node = TwoFaced(chain, final=10)
    view, told = await following(node)
    chain.mine(200)
    before = len(node.asked)
    assert not await view.poll()
    assert len(node.asked) - before < 80
    assert told.news == []


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110 - the view tells nobody that it has polled
            await asyncio.sleep(0)


async def test_it_polls_by_itself_and_ends_when_told_to() -> None:
    chain = Chain(100)
    node = ChainNode(chain, final=10)
    node.error = NodeTimeout("no answer in 5 s", node="node-1")
    view = ChainView(node, every_s=0.001)
    view.start()
    view.start()
    await until(lambda: view.failures > 1)
    node.error = None
    await until(lambda: view.head is not None)
    await view.aclose()
    asked = len(node.asked)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(node.asked) == asked


async def test_a_defect_in_a_poll_does_not_end_the_polling() -> None:
    node = ChainNode(Chain(3), final=1)
    view = ChainView(node, every_s=0.001)
    blocks, node.chain.blocks = node.chain.blocks, []  # its answer is an IndexError
    view.start()
    await until(lambda: view.failures > 0)
    node.chain.blocks = blocks
    await until(lambda: view.head is not None)
    await view.aclose()
