"""What a walk fails of is told to those who wait for it, and to nobody else; it is bounded."""

import asyncio
from typing import NoReturn

import pytest

from tests.lineage.chains import Chain, Now, ask_of, grown, trusted
from tests.validators.world import Json
from validation.lineage import Lineage, Link, lineage
from validation.rpc import DeadlineExceeded, NodeUnreachable
from validation.validators import Ask

CHAIN = grown([], 60)
ITEMS = 400


async def item(known: Lineage, node: Chain, number: int) -> tuple[Link, Ask]:
    """As an item is validated: what may be remembered, then afresh, and afresh once more."""
    for fresh in (False, True, True):
        ask = ask_of(node, fresh=fresh)
        link = await known.link(number, CHAIN[number]["hash"], ask)
        if link.ok:
            break
    return link, ask


def failing(how: str) -> Chain:
    if how == "not served":
        return Chain(CHAIN[:12])
    node = Chain(CHAIN)

    def told(number: int, block: Json | None) -> Json | None:
        return block | {"gasUsed": "0x7"} if number == 12 and block else block

    node.told = told
    return node


@pytest.mark.parametrize("how", ["bad header", "not served"])
@pytest.mark.parametrize("at", [5, 59])
async def test_a_chunk_beyond_a_block_that_leads_nowhere_costs_a_few_questions(
    how: str, at: int
) -> None:
    now, node = Now(), failing(how)
    if how == "not served":
        node.told = lambda number, block: None if number == 12 else CHAIN[number]
    known = Lineage(trusted(CHAIN, at), clock=now)
    number = 35 if at == 5 else 9
    found = await asyncio.gather(*(item(known, node, number) for _ in range(ITEMS)))
    assert node.fetches <= 12
    if how == "bad header":
        assert {(link.ok, link.node) for link, _ in found} == {(False, "node-1")}
        assert all(ask.heard for _, ask in found), "the evidence, shown once, is everybody's"
    else:
        assert {link.skip_reason for link, _ in found} == {"header_not_served"}
    for _ in range(20):  # nor do those who come one after the other
        await item(known, node, number)
    assert node.fetches <= 12
    node.told = lambda _, block: block
    node.chain = CHAIN
    now.s += 1.1
    assert (await item(known, node, number))[0].ok


async def test_nor_do_items_of_many_blocks_beyond_it() -> None:
    node = failing("bad header")
    known = Lineage(trusted(CHAIN, 5), clock=Now())
    found = await asyncio.gather(*(item(known, node, 13 + n % 40) for n in range(ITEMS)))
    assert not any(link.ok for link, _ in found)
    assert node.fetches <= 3 * 40  # of each block, and not of each item
    assert (await known.link(11, CHAIN[11]["hash"], ask_of(node))).ok


async def test_what_one_fetcher_is_told_is_no_others() -> None:
    good, bad = Chain(CHAIN, "good"), failing("bad header")
    known = Lineage(trusted(CHAIN, 5), clock=Now())
    assert not (await item(known, bad, 35))[0].ok
    assert (await item(known, good, 35))[0].ok


async def test_who_asks_a_good_node_is_not_told_the_outage_of_another() -> None:
    good, bad = Chain(CHAIN, "good"), Chain(CHAIN, "bad")
    bad.error = NodeUnreachable("down", node="bad")
    known = Lineage(trusted(CHAIN, 5))
    asks = [known.link(20, CHAIN[20]["hash"], ask_of(node)) for node in (bad, good, bad)]
    first, second, third = await asyncio.gather(*asks, return_exceptions=True)
    assert isinstance(first, NodeUnreachable)
    assert isinstance(second, Link)
    assert second.ok
    assert isinstance(third, NodeUnreachable)


async def test_who_waits_for_a_walk_is_told_its_outage_whatever_block_he_wants() -> None:
    node = Chain(CHAIN)
    node.error = NodeUnreachable("down", node="node-1")
    known = Lineage(trusted(CHAIN, 5))
    asks = [known.link(n, CHAIN[n]["hash"], ask_of(node)) for n in range(20, 50)]
    failed = await asyncio.gather(*asks, return_exceptions=True)
    assert all(isinstance(one, NodeUnreachable) for one in failed)
    assert node.fetches <= 2


async def test_an_error_of_long_ago_is_not_told_where_a_walk_is_cancelled() -> None:
    node = Chain(CHAIN)
    node.error = NodeUnreachable("down", node="node-1")
    known = Lineage(trusted(CHAIN, 5))
    with pytest.raises(NodeUnreachable):
        await known.link(20, CHAIN[20]["hash"], ask_of(node))
    node.error = None
    walking = asyncio.create_task(known.link(20, CHAIN[20]["hash"], ask_of(node)))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(known.link(21, CHAIN[21]["hash"], ask_of(node)))
    await asyncio.sleep(0)
    walking.cancel()
    assert (await waiting).ok


async def test_nobody_waits_for_ever_for_headers_that_do_not_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lineage, "_WALK_S", 0.02)

    class Hanging(Chain):
        async def fetch(self, *args: object, **kwargs: object) -> NoReturn:
            self.fetches += 1
            await asyncio.Event().wait()
            raise AssertionError

    node, known = Hanging(CHAIN), Lineage(trusted(CHAIN, 5))
    asks = [known.link(n, CHAIN[n]["hash"], ask_of(node)) for n in (20, 20, 30)]
    for failed in await asyncio.gather(*asks, return_exceptions=True):
        assert isinstance(failed, DeadlineExceeded)
        assert "was not linked to the checkpoint" in str(failed)
    assert (await known.link(20, CHAIN[20]["hash"], ask_of(Chain(CHAIN)))).ok
