"""The view follows head and finality, tells each orphaned block once, and forgets none too soon."""

import pytest

from tests.heads.chain import Chain, ChainNode, ref
from validation.heads import ChainView
from validation.validators import BlockRef


class Told:
    """What a listener hears, in its order."""

    def __init__(self) -> None:
        self.news: list[tuple[BlockRef, ...]] = []

    def __call__(self, blocks: tuple[BlockRef, ...]) -> None:
        self.news.append(blocks)

    @property
    def blocks(self) -> list[BlockRef]:
        return [block for blocks in self.news for block in blocks]


async def following(node: ChainNode, *, polls: int = 1, depth: int = 64) -> tuple[ChainView, Told]:
    told = Told()
    view = ChainView(node, depth=depth, on_reorg=told)
    for _ in range(polls):
        assert await view.poll()
    return view, told


async def test_head_and_final_are_known_after_one_poll() -> None:
    chain = Chain(100)
    view, _ = await following(ChainNode(chain, final=10))
    assert view.head == chain.head
    assert (view.final, view.final_number()) == (chain.at(89), 89)
    assert (view.is_final(89), view.is_final(90)) == (True, False)


async def test_another_block_at_a_final_number_is_not_settled() -> None:
    chain = Chain(100)
    node = ChainNode(chain, final=10)
    view, _ = await following(node)
    chain.mine(12)
    assert await view.poll()
    stands = chain.at(95)
    assert view.final_number() is not None
    assert view.is_settled(stands.number, stands.hash)
    assert not view.is_settled(stands.number, "0x" + "66" * 32)
    assert not view.is_settled(chain.head.number, chain.head.hash)


async def test_before_the_first_poll_nothing_is_claimed() -> None:
    view = ChainView(ChainNode(Chain(3), final=1))
    assert (view.head, view.final, view.final_number(), view.age_s) == (None, None, None, None)
    assert not view.is_final(0)
    assert not view.is_orphaned("0x" + "00" * 32)


@pytest.mark.parametrize("blocks", [1, 2, 40, 200])
async def test_a_chain_that_only_grows_orphans_nothing(blocks: int) -> None:
    chain = Chain(100)
    view, told = await following(ChainNode(chain, final=10))
    for _ in range(5):
        chain.mine(blocks)
        assert await view.poll()
        assert view.head == chain.head
    assert told.news == []


@pytest.mark.parametrize("depth", [1, 2, 3, 7, 33, 63, 64])
async def test_a_reorganisation_is_told_once_deepest_first(depth: int) -> None:
    chain = Chain(200)
    view, told = await following(ChainNode(chain, final=70), polls=10)
    gone = chain.reorganise(depth)
    for _ in range(3):
        assert await view.poll()
    assert told.news == [tuple(gone)]
    assert all(view.is_orphaned(block.hash) for block in gone)
    assert not view.is_orphaned(chain.head.hash)
    assert (view.head, view.orphaned_total) == (chain.head, depth)


async def test_a_reorganisation_to_a_longer_and_to_a_shorter_chain() -> None:
    chain = Chain(100)
    view, told = await following(ChainNode(chain, final=70), polls=10)
    first = chain.reorganise(3, new=20)
    assert await view.poll()
    second = chain.reorganise(9, new=2)
    assert await view.poll()
    assert told.news == [tuple(first), tuple(second)]
    assert view.head == chain.head


async def test_one_behind_a_gap_is_found_all_the_same() -> None:
    """The process slept: the chain was reorganised and went on for a hundred blocks."""
    chain = Chain(100)
    view, told = await following(ChainNode(chain, final=70), polls=10)
    gone = chain.reorganise(5, new=105)
    assert await view.poll()
    assert told.news == [tuple(gone)]


async def test_one_behind_a_gap_too_wide_to_link_is_found_too() -> None:
    chain = Chain(100)
    node = ChainNode(chain, final=70)
    view, told = await following(node, polls=10)
    gone = chain.reorganise(5, new=2_000)
    before = len(node.asked)
    assert await view.poll()
    assert told.news == [tuple(gone)]
    assert view.head == chain.head
    assert sum(map(len, node.asked[before:])) < 100
    later = chain.reorganise(3)
    assert await view.poll()
    assert told.blocks[5:] == later


async def test_calls_and_memory_are_bounded() -> None:
    chain = Chain(400)
    node = ChainNode(chain, final=300)
    view, _ = await following(node, polls=40)
    assert len(view._window) == 256
    chain.reorganise(255, new=300)
    before = len(node.asked)
    assert await view.poll()
    assert sum(map(len, node.asked[before:])) <= 700
    assert len(node.asked) - before <= 20
    assert len(view._window) == 256
    before = len(node.asked)
    assert await view.poll()
    assert sum(map(len, node.asked[before:])) == 2  # head and final, and nothing else


async def test_a_block_that_comes_back_is_an_orphan_no_more_and_can_be_one_again() -> None:
    chain = Chain(100)
    view, told = await following(ChainNode(chain, final=70), polls=10)
    once = list(chain.blocks)
    gone = chain.reorganise(2)
    instead = list(chain.blocks)
    assert await view.poll()
    chain.return_to(once)
    assert await view.poll()
    assert not any(view.is_orphaned(block.hash) for block in gone)
    assert all(view.is_orphaned(block["hash"]) for block in instead[-2:])
    chain.return_to(instead)
    assert await view.poll()
    assert told.news == [tuple(gone), tuple(map(ref, instead[-2:])), tuple(gone)]


async def test_a_node_without_the_tag_is_believed_64_blocks_deep() -> None:
    chain = Chain(100)
    node = ChainNode(chain, final=None)
    view, _ = await following(node)
    assert view.final_number() == 99 - 64
    before = len(node.asked)
    for _ in range(20):
        chain.mine()
        assert await view.poll()
    assert view.final == chain.at(119 - 64)
    tags = [call.params[0] for calls in node.asked[before:] for call in calls]
    assert tags.count("finalized") == 0  # refused once, it is not asked at each poll


async def test_a_chain_shorter_than_that_has_nothing_final() -> None:
    view, _ = await following(ChainNode(Chain(20)), polls=3)
    assert (view.final, view.final_number()) == (None, None)


async def test_what_is_final_stays_so_when_another_node_answers() -> None:
    chain = Chain(200)
    node = ChainNode(chain, final=20)
    view, told = await following(node)
    assert view.final_number() == 179
    node.lag = 10
    assert await view.poll()
    assert (view.head, view.final_number()) == (chain.head, 179)
    node.lag, node.final = 0, None  # nor does one without the tag make more of it final
    for _ in range(3):
        assert await view.poll()
    assert view.final_number() == 179
    assert told.news == []


async def test_a_reorganisation_of_what_was_called_final_is_told_and_takes_that_back() -> None:
    chain = Chain(100)
    node = ChainNode(chain, final=5)
    view, told = await following(node, polls=2)
    for _ in range(10):
        chain.mine()
        assert await view.poll()
    gone = chain.reorganise(8)
    assert await view.poll()
    assert told.blocks == gone
    assert view.final == chain.at(len(chain.blocks) - 6)


async def test_a_listener_that_fails_does_not_end_it() -> None:
    chain = Chain(100)

    def fail(_: tuple[BlockRef, ...]) -> None:
        raise ZeroDivisionError

    view = ChainView(ChainNode(chain, final=70), on_reorg=fail)
    assert await view.poll()
    [gone] = chain.reorganise(1)
    assert await view.poll()
    assert view.is_orphaned(gone.hash)
