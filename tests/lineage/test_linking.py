"""What is linked to a checkpoint, what is not, and at what cost."""

import asyncio

import pytest

from tests.lineage.chains import Chain, ask_of, grown, trusted
from validation.lineage import Lineage
from validation.rpc import NodeTimeout
from validation.validators import Ask

CHAIN = grown([], 40)


@pytest.mark.parametrize("at", [0, 10, 20, 21, 39, 40])
async def test_a_block_is_linked_wherever_the_checkpoint_is(at: int) -> None:
    node = Chain(CHAIN)
    lineage = Lineage(trusted(CHAIN, at))
    link = await lineage.link(20, CHAIN[20]["hash"], ask_of(node))
    assert (link.ok, link.flaw, link.skip_reason, link.links) == (True, "", "", abs(20 - at))
    assert len(node.asked) == (abs(20 - at) if at <= 20 else at - 20 + 1)


async def test_what_was_linked_once_is_asked_for_no_more() -> None:
    node = Chain(CHAIN)
    lineage = Lineage(trusted(CHAIN, 10))
    for number in (30, 0):
        assert (await lineage.link(number, CHAIN[number]["hash"], ask_of(node))).ok
    asked = len(node.asked)
    for number in range(31):
        assert lineage.is_known(number, CHAIN[number]["hash"])
        assert (await lineage.link(number, CHAIN[number]["hash"], ask_of(node))).ok
    assert (await lineage.link(31, CHAIN[31]["hash"], ask_of(node))).ok
    assert len(node.asked) == asked + 1


async def test_items_of_the_same_moment_walk_once() -> None:
    node = Chain(CHAIN)
    lineage = Lineage(trusted(CHAIN, 0))
    numbers = [*range(1, 41)] * 5
    links = await asyncio.gather(
        *(lineage.link(number, CHAIN[number]["hash"], ask_of(node)) for number in numbers)
    )
    assert all(link.ok for link in links)
    assert len(node.asked) == 40


async def test_headers_are_asked_in_batches() -> None:
    chain = grown([], 600)
    node = Chain(chain)
    assert (await Lineage(trusted(chain, 0)).link(600, chain[600]["hash"], ask_of(node))).ok
    assert node.fetches <= 12


@pytest.mark.parametrize("number", [0, 40])
async def test_too_far_says_what_to_do(number: int) -> None:
    node = Chain(CHAIN)
    lineage = Lineage(trusted(CHAIN, 20), most_links=19)
    link = await lineage.link(number, CHAIN[number]["hash"], ask_of(node))
    assert (link.ok, link.skip_reason) == (False, "too_far_from_checkpoint")
    assert "CHECKPOINT" in link.skip_text
    assert node.asked == []
    assert (await lineage.link(1, CHAIN[1]["hash"], ask_of(node))).ok


async def test_a_block_of_another_fork_is_not_linked_and_nobody_blamed() -> None:
    fork = grown(CHAIN[:30], 40, mark=1)
    node = Chain(CHAIN)
    for at, number in ((10, 35), (40, 35), (35, 35)):
        lineage = Lineage(trusted(CHAIN, at))
        link = await lineage.link(number, fork[number]["hash"], ask_of(node))
        assert (link.ok, link.node, link.skip_reason) == (False, None, "")
        assert (link.computed, link.claimed) == (CHAIN[number]["hash"], fork[number]["hash"])
        assert f"block {number} is {CHAIN[number]['hash']}" in link.flaw


async def test_an_outage_is_nobodys_flaw_and_is_waited_for_once() -> None:
    node = Chain(CHAIN)
    node.error = NodeTimeout("nothing came", node="node-1")
    lineage = Lineage(trusted(CHAIN, 0))
    asks = [lineage.link(9, CHAIN[9]["hash"], ask_of(node)) for _ in range(50)]
    failed = await asyncio.gather(*asks, return_exceptions=True)
    assert all(isinstance(one, NodeTimeout) for one in failed)
    assert node.fetches == 1
    node.error = None
    assert (await lineage.link(9, CHAIN[9]["hash"], ask_of(node))).ok


async def test_whoever_is_cancelled_takes_nobody_with_him() -> None:
    node = Chain(CHAIN)
    lineage = Lineage(trusted(CHAIN, 0))
    walking = asyncio.create_task(lineage.link(9, CHAIN[9]["hash"], ask_of(node)))
    waiting = asyncio.create_task(lineage.link(9, CHAIN[9]["hash"], ask_of(node)))
    await asyncio.sleep(0)
    walking.cancel()
    assert (await waiting).ok


@pytest.mark.parametrize("at", [10, 30])
async def test_a_header_that_no_node_serves_is_no_flaw(at: int) -> None:
    node = Chain(CHAIN)
    node.told = lambda number, block: None if number == 15 else block
    link = await Lineage(trusted(CHAIN, at)).link(20, CHAIN[20]["hash"], ask_of(node))
    if at == 10:
        assert (link.ok, link.skip_reason) == (False, "header_not_served")
        assert "block 15" in link.skip_text
    else:
        assert link.ok


async def test_who_walks_first_and_explains_himself_keeps_what_he_heard() -> None:
    node = Chain(CHAIN)
    lineage = Lineage(trusted(CHAIN, 5))
    first, second = ask_of(node, explain=True), ask_of(node, explain=True)
    assert (await lineage.link(9, CHAIN[9]["hash"], first)).ok
    assert (await lineage.link(8, CHAIN[8]["hash"], second)).ok
    assert asked_by(first) == [hex(number) for number in range(6, 10)]
    assert asked_by(second) == []


def asked_by(ask: Ask) -> list[object]:
    return [call.params[0] for heard in ask.heard for call in heard.calls]


@pytest.mark.parametrize("explain", [False, True])
async def test_the_evidence_of_a_flaw_is_all_that_it_takes_to_find_it_again(
    *, explain: bool
) -> None:
    fork = grown(CHAIN[:30], 40, mark=1)
    node = Chain(CHAIN)
    lineage = Lineage(trusted(CHAIN, 5))
    assert (await lineage.link(40, CHAIN[40]["hash"], ask_of(node))).ok
    first, again = ask_of(node), ask_of(node, fresh=True, explain=explain)
    assert not (await lineage.link(35, fork[35]["hash"], first)).ok
    assert not (await lineage.link(35, fork[35]["hash"], again)).ok
    assert first.heard == []
    assert asked_by(again) == [hex(number) for number in range(6, 36)]
