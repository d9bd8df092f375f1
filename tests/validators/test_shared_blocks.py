"""A block's evidence is asked for once for all of its items, and no accusation rests on memory."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from tests.validators.sealed import Sealed, Serving, seal, sound
from tests.validators.world import CHAIN_ID
from validation.rpc import Call, Reply, errors
from validation.rpc.timing import Sending, Timing
from validation.subjects import parse_subject
from validation.validators import Ask, Grounds, Outcome, Verdict, validate
from validation.validators.shared_blocks import SharedBlocks


class Turning(Serving):
    """Answers after a turn of the loop, as a node over a network does."""

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        await asyncio.sleep(0)
        return await super().fetch(calls, timeout_s=timeout_s, fresh=fresh)


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(scope="module")
def large() -> Sealed:
    return seal(sound([2] * 1000))


@pytest.fixture(scope="module")
def small() -> Sealed:
    return seal(sound([2, 2]))


async def at_3(sealed: Sealed, index: int, fetcher: Any, grounds: Grounds) -> Outcome:
    subject = parse_subject(f"tx:{sealed.block['transactions'][index]['hash']}")
    return await validate(subject, level=3, fetcher=fetcher, grounds=grounds)


async def test_a_thousand_transactions_cost_one_block_and_its_receipts(large: Sealed) -> None:
    node, grounds = Turning(large), Grounds(chain_id=CHAIN_ID)
    outcomes = await asyncio.gather(*(at_3(large, index, node, grounds) for index in range(1000)))
    assert {(o.verdict, o.level, o.source) for o in outcomes} == {(Verdict.VALID, 3, "node")}
    asked = Counter(node.methods())
    assert asked["eth_getBlockByHash"] == asked["eth_getBlockReceipts"] == 1


async def test_what_is_remembered_says_so_and_how_old_it_is(small: Sealed) -> None:
    clock = Clock()
    node, grounds = small.node(), Grounds(chain_id=CHAIN_ID, blocks=SharedBlocks(clock=clock))
    first = await at_3(small, 0, node, grounds)
    assert (first.source, first.age_s) == ("node", 0.0)
    clock.now_s = 7.0
    heard: list[Any] = []
    subject = parse_subject(f"tx:{small.block['transactions'][1]['hash']}")
    second = await validate(subject, level=3, fetcher=node, grounds=grounds, heard=heard)
    assert (second.verdict, second.source, second.age_s) == (Verdict.VALID, "l1", 7.0)
    assert node.methods().count("eth_getBlockReceipts") == 1
    # What it rests on is all there, whoever asked for it.
    assert [call.method for one in heard for call in one.calls] == [
        "eth_getTransactionByHash",
        "eth_getTransactionReceipt",
        "eth_getBlockByHash",
        "eth_getBlockReceipts",
    ]
    assert all(one.reply.raws for one in heard)


async def test_it_is_not_remembered_for_ever(small: Sealed) -> None:
    clock = Clock()
    node, grounds = small.node(), Grounds(chain_id=CHAIN_ID, blocks=SharedBlocks(clock=clock))
    await at_3(small, 0, node, grounds)
    clock.now_s = 301.0
    assert (await at_3(small, 1, node, grounds)).source == "node"


async def test_a_purge_forgets_what_is_remembered_and_what_is_under_way(small: Sealed) -> None:
    node, grounds = Stalling(small), Grounds(chain_id=CHAIN_ID)
    before = asyncio.create_task(at_3(small, 0, node, grounds))
    await turns()
    grounds.blocks.forget()
    node.goes_on.set()
    assert (await before).verdict is Verdict.VALID
    assert grounds.blocks.kept_bytes == 0
    after = await at_3(small, 1, node, grounds)
    assert (after.source, node.methods().count("eth_getBlockReceipts")) == ("node", 2)
    assert grounds.blocks.kept_bytes > 0
    grounds.blocks.forget()
    assert (await at_3(small, 1, node, grounds)).source == "node"


async def test_nobody_is_accused_on_what_is_remembered(small: Sealed) -> None:
    node, grounds = small.node(), Grounds(chain_id=CHAIN_ID)
    await at_3(small, 0, node, grounds)
    node.told["eth_getTransactionReceipt"] = lambda told: told | {"gasUsed": "0x5207"}
    outcome = await at_3(small, 1, node, grounds)
    assert (outcome.verdict, outcome.source) == (Verdict.INVALID, "node")
    assert node.methods().count("eth_getBlockReceipts") == 2
    assert node.fresh[-2:] == [True, True]


async def test_a_lie_about_a_block_is_told_for_a_moment_to_who_asks_the_liar(
    small: Sealed,
) -> None:
    clock = Clock()
    node, grounds = small.node(), Grounds(chain_id=CHAIN_ID, blocks=SharedBlocks(clock=clock))
    node.told["eth_getBlockReceipts"] = lambda told: told[:1]
    for index in (0, 1, 0, 1):
        outcome = await at_3(small, index, node, grounds)
        assert (outcome.verdict, outcome.source) == (Verdict.INVALID, "node")
        assert {caught.node for caught in outcome.caught or ()} == {"node-1"}
    assert node.methods().count("eth_getBlockReceipts") == 1
    assert grounds.blocks.kept_bytes == 0
    # Another node is asked for itself, and what it says is no word of the liar's.
    assert (await at_3(small, 0, Serving(small, label="node-2"), grounds)).verdict is Verdict.VALID
    grounds.blocks.forget()
    node.told.clear()
    node.told["eth_getBlockReceipts"] = lambda told: told[:1]
    assert (await at_3(small, 0, node, grounds)).verdict is Verdict.INVALID
    clock.now_s = 1.1
    del node.told["eth_getBlockReceipts"]
    outcome = await at_3(small, 0, node, grounds)
    assert (outcome.verdict, outcome.source) == (Verdict.VALID, "node")


class Slow(Serving):
    """Answers about blocks when it is told to, and counts what is with it."""

    def __init__(self, *sealed: Sealed) -> None:
        super().__init__(*sealed)
        self.answers = asyncio.Semaphore(0)
        self.sent = 0

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        self.sent += 1
        await self.answers.acquire()
        return await super().fetch(calls, timeout_s=timeout_s, fresh=fresh)


async def test_who_asks_afresh_takes_no_answer_to_what_was_sent_before(small: Sealed) -> None:
    node, blocks = Slow(small), SharedBlocks()

    def asking() -> asyncio.Task[Any]:
        return asyncio.create_task(blocks.of(small.hash, Ask(node, Grounds(), fresh=True)))

    first = [asking(), asking()]
    await turns()
    later = [asking() for _ in range(50)]
    await turns()
    assert node.sent == 1
    node.answers.release()
    await turns()
    assert all(task.done() for task in first)
    assert (node.sent, [task for task in later if task.done()]) == (2, [])
    node.answers.release()
    found = await asyncio.gather(*first, *later)
    assert node.sent == 2
    assert found[0] is found[1] is not found[2]
    assert all(one is found[2] for one in found[2:])


async def test_an_outage_is_waited_for_once_also_by_who_asked_afresh(small: Sealed) -> None:
    node, blocks = Slow(small), SharedBlocks()

    def fail(_: Any) -> Any:
        raise errors.NodeTimeout("no answer in 5 s", node="node-1")

    node.told["eth_getBlockReceipts"] = fail
    tasks = []
    for _ in range(3):
        ask = Ask(node, Grounds(), fresh=True)
        tasks.append(asyncio.create_task(blocks.of(small.hash, ask)))
        await turns()
    node.answers.release()
    failed = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in failed] == [errors.NodeTimeout] * 3
    assert node.sent == 1


async def test_the_time_that_an_item_waits_for_a_block_is_told_in_its_waterfall(
    small: Sealed,
) -> None:
    clock = Clock()

    class Timed(Serving):
        async def fetch(self, calls: Sequence[Call], **kwargs: Any) -> Reply:
            reply = await super().fetch(calls, **kwargs)
            began, clock.now_s = clock.now_s, clock.now_s + 2.0
            sending = Sending("node-1", "", began, began, began, began + 2.0)
            return msgspec.structs.replace(reply, timing=Timing(began, sending))

    subject = parse_subject(f"tx:{small.block['transactions'][1]['hash']}")
    grounds, node = Grounds(chain_id=CHAIN_ID), Timed(small)
    for source in ("attempt", "l1"):
        outcome = await validate(
            subject, level=3, fetcher=node, grounds=grounds, explain=True, clock=clock
        )
        assert isinstance(outcome.spans, tuple)
        asked = [span for span in outcome.spans if not span.name.startswith("check:")]
        told = [(span.name, span.at_ms, span.ms) for span in asked if span.ms or span.name == "l1"]
        expected = ("attempt", 2000.0, 2000.0) if source == "attempt" else ("l1", 2000.0, 0.0)
        assert told == [("attempt", 0.0, 2000.0), expected]


async def test_nobody_waits_for_the_answer_of_another_node(small: Sealed) -> None:
    """Else the one that tells the truth were blamed for the other's lie, or the other way."""
    grounds = Grounds(chain_id=CHAIN_ID)
    honest, liar = Turning(small), Turning(small, label="node-2")
    liar.told["eth_getBlockReceipts"] = lambda told: told[:1]
    good, bad = await asyncio.gather(at_3(small, 0, honest, grounds), at_3(small, 0, liar, grounds))
    assert (good.verdict, bad.verdict) == (Verdict.VALID, Verdict.INVALID)
    assert isinstance(bad.caught, tuple)
    assert {each.node for each in bad.caught} == {"node-2"}


class Stalling(Serving):
    """Never gives a block's receipts, until it is let go on."""

    def __init__(self, *sealed: Sealed) -> None:
        super().__init__(*sealed)
        self.goes_on = asyncio.Event()
        self.left = 0

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        if calls[-1].method == "eth_getBlockReceipts":
            try:
                await self.goes_on.wait()
            except asyncio.CancelledError:
                self.left += 1
                raise
        return await super().fetch(calls, timeout_s=timeout_s, fresh=fresh)


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_who_leaves_takes_nothing_from_those_who_stay(small: Sealed) -> None:
    node, grounds = Stalling(small), Grounds(chain_id=CHAIN_ID)
    first = asyncio.create_task(at_3(small, 0, node, grounds))
    await turns()
    second = asyncio.create_task(at_3(small, 1, node, grounds))
    await turns()
    first.cancel()
    await turns()
    assert node.left == 0
    node.goes_on.set()
    assert (await second).verdict is Verdict.VALID
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_when_the_last_leaves_the_asking_ends(small: Sealed) -> None:
    node, grounds = Stalling(small), Grounds(chain_id=CHAIN_ID)
    waiting = [asyncio.create_task(at_3(small, index, node, grounds)) for index in (0, 1)]
    await turns()
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await turns()
    assert node.left == 1
    node.goes_on.set()
    assert (await at_3(small, 0, node, grounds)).verdict is Verdict.VALID


async def test_an_error_is_told_to_all_who_wait_and_not_remembered(small: Sealed) -> None:
    node, grounds = Turning(small), Grounds(chain_id=CHAIN_ID)

    def fail(_: Any) -> Any:
        raise errors.NodeTimeout("no answer in 5 s", node="node-1")

    node.told["eth_getBlockReceipts"] = fail
    outcomes = await asyncio.gather(*(at_3(small, index, node, grounds) for index in (0, 1)))
    assert [(o.verdict, o.reason) for o in outcomes] == [(Verdict.ERROR, "node_timeout")] * 2
    del node.told["eth_getBlockReceipts"]
    assert (await at_3(small, 0, node, grounds)).verdict is Verdict.VALID


async def test_what_is_remembered_is_bounded_by_bytes() -> None:
    blocks = [seal(sound([2]), header={"extraData": f"0x{index:02x}"}) for index in range(6)]
    node = Serving(*blocks)
    shared = SharedBlocks(most_bytes=15_000)
    grounds = Grounds(chain_id=CHAIN_ID, blocks=shared)
    for block in blocks:
        node.add(block)  # its transaction is in each of them
        await at_3(block, 0, node, grounds)
        assert shared.kept_bytes <= 15_000
    before = node.methods().count("eth_getBlockReceipts")
    assert before == len(blocks)
    await at_3(blocks[-1], 0, node, grounds)  # the newest is still known
    assert node.methods().count("eth_getBlockReceipts") == before
    node.add(blocks[0])
    await at_3(blocks[0], 0, node, grounds)  # the oldest no more
    assert node.methods().count("eth_getBlockReceipts") == before + 1


async def test_a_large_block_gives_others_a_turn(large: Sealed) -> None:
    turned = 0

    async def other() -> None:
        nonlocal turned
        while True:
            turned += 1
            await asyncio.sleep(0)

    neighbour = asyncio.create_task(other())
    await at_3(large, 0, large.node(), Grounds(chain_id=CHAIN_ID))
    neighbour.cancel()
    assert turned > 20


class Keeping(Turning):
    """Whoever asks by it keeps answers of these kinds, as a cache's view does."""

    def __init__(self, sealed: Sealed, kinds: frozenset[str]) -> None:
        super().__init__(sealed)
        self.kinds = kinds


async def test_evidence_is_not_remembered_for_items_whose_answers_nobody_keeps(
    small: Sealed,
) -> None:
    grounds = Grounds(chain_id=CHAIN_ID)
    keeps, none = Keeping(small, frozenset({"evidence"})), Keeping(small, frozenset({"tx"}))
    for index in (0, 1):
        assert (await at_3(small, index, none, grounds)).source == "node"
    assert none.methods().count("eth_getBlockReceipts") == 2
    assert grounds.blocks.kept_bytes == 0
    assert [(await at_3(small, i, keeps, grounds)).source for i in (0, 1)] == ["node", "l1"]
    assert (await at_3(small, 0, none, grounds)).source == "node", "nor what others keep"


async def test_where_nothing_is_shared_each_item_asks_for_its_block(large: Sealed) -> None:
    node, grounds = Turning(large), Grounds(chain_id=CHAIN_ID)
    for flights, asked in ((False, 8), (True, 1)):
        grounds.blocks.forget()
        grounds.blocks.share(flights=flights)
        before = node.methods().count("eth_getBlockReceipts")
        outcomes = await asyncio.gather(*(at_3(large, index, node, grounds) for index in range(8)))
        assert {outcome.verdict for outcome in outcomes} == {Verdict.VALID}
        assert node.methods().count("eth_getBlockReceipts") - before == asked
        # What came is remembered all the same.
        assert (await at_3(large, 9, node, grounds)).source == "l1"


async def test_memory_is_given_back_by_halves_and_the_last_used_stays() -> None:
    blocks = [seal(sound([2] * count)) for count in (20, 21, 22, 23)]
    grounds = Grounds(chain_id=CHAIN_ID)
    for sealed in blocks:
        await at_3(sealed, 0, sealed.node(), grounds)
    full = grounds.blocks.kept_bytes
    grounds.blocks.shrink(0.5)
    assert 0 < grounds.blocks.kept_bytes <= full / 2
    sources = [(await at_3(sealed, 1, sealed.node(), grounds)).source for sealed in blocks]
    assert sources[-1] == "l1"
    assert sources[0] == "node"
    grounds.blocks.shrink(0.0)
    assert grounds.blocks.kept_bytes == 0
    assert (await at_3(blocks[3], 0, blocks[3].node(), grounds)).source == "node"
