"""Whether blocks that verdicts rest on stand: also those that this process never saw."""

from tests.heads.chain import Chain, ChainNode
from tests.heads.test_following import following
from validation.rpc import NodeTimeout
from validation.validators import BlockRef


async def test_an_answer_comes_from_a_poll_after_the_question() -> None:
    chain = Chain(100)
    view, _ = await following(ChainNode(chain, final=10))
    assert view.standings() == {}  # nobody asked
    view.watch([chain.head])
    assert view.standings() is None
    assert await view.poll()
    assert view.standings() == {chain.head: True}


async def test_a_block_that_left_before_this_process_lived_is_an_orphan() -> None:
    chain = Chain(300)
    once = chain.at(295), chain.at(120)
    chain.reorganise(200)
    view, told = await following(ChainNode(chain, final=10))
    view.watch([*once, chain.at(295), chain.at(50)])
    assert await view.poll()
    assert view.standings() == {
        once[0]: False, once[1]: False, chain.at(295): True, chain.at(50): True,
    }  # fmt: skip
    assert told.news == [(once[1], once[0])]
    view.watch(once)
    assert await view.poll()
    assert len(told.news) == 1
    assert view.is_orphaned(once[0].hash)


async def test_of_a_block_above_the_head_nothing_is_said() -> None:
    chain = Chain(100)
    node = ChainNode(chain, final=10)
    view, _ = await following(node)
    ahead = BlockRef(number=500, hash="0x" + "ab" * 32)
    view.watch([ahead])
    assert await view.poll()
    assert view.standings() == {}


async def test_nor_where_the_node_cannot_be_asked() -> None:
    chain = Chain(100)
    node = ChainNode(chain, final=10)
    view, _ = await following(node)
    view.watch([chain.at(3)])
    node.error = NodeTimeout("no answer in 5 s", node="node-1")
    assert not await view.poll()
    assert view.standings() is None


async def test_many_old_ones_are_asked_for_64_at_a_time() -> None:
    chain = Chain(1_000)
    node = ChainNode(chain, final=10)
    view, _ = await following(node)
    view.watch([chain.at(number) for number in range(300)])
    before = len(node.asked)
    assert await view.poll()
    standings = view.standings()
    assert standings is not None
    assert len(standings) == 64
    assert max(map(len, node.asked[before:])) <= 64


async def test_one_that_came_back_stands() -> None:
    chain = Chain(100)
    view, _ = await following(ChainNode(chain, final=70))
    once, [gone] = list(chain.blocks), chain.reorganise(1)
    view.watch([gone])
    assert await view.poll()
    assert view.standings() == {gone: False}
    chain.return_to(once)
    view.watch([gone])
    assert await view.poll()
    assert view.standings() == {gone: True}
    assert not view.is_orphaned(gone.hash)
