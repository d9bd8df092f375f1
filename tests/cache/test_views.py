"""Which of an item's answers are kept, by kind, and whom it asks; and how L1 begins."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Sequence

import pytest

from tests.cache.fetchers import TX, Fleet, Node, Process
from tests.cache.tiers import until
from validation.cache.errors import CacheError
from validation.cache.freshness import block_tag
from validation.cache.views import KEPT
from validation.rpc import Call, Reply, WrongChain
from validation.subjects import parse_subject
from validation.validators.registry import KINDS

SUBJECTS = {"tx": f"tx:{TX['hash']}", "block": "block:16", "address": "address:0x" + "11" * 20}


class Mode:
    """As a client's mode of asking: the same node, asked in another way."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.asked = 0

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        self.asked += 1
        return await self._node.fetch(calls, timeout_s=timeout_s, fresh=fresh)


async def sources(process: Process, kinds: str, subject: str) -> list[str]:
    parsed = parse_subject(subject)
    calls = KINDS[parsed.kind].calls(parsed)
    view = process.fetcher.view(kinds)
    return [(await view.fetch(calls)).source for _ in range(2)]


async def test_each_variant_keeps_its_kinds_and_no_others(fleet: Fleet, node: Node) -> None:
    kept: dict[str, set[str]] = {"none": set(), "tx": {"tx"}, "all": set(SUBJECTS)}
    assert set(kept) == set(KEPT)
    for kinds, its in kept.items():
        node.genesis = "0x" + uuid.uuid4().hex * 2  # what the variant before kept is another's
        one = await fleet.start()
        for kind, subject in SUBJECTS.items():
            found = await sources(one, kinds, subject)
            assert found == ["node", "l1" if kind in its else "node"], (kinds, kind)
        assert len(one.cache.l1) == len(its)


async def test_what_one_item_kept_another_that_keeps_nothing_neither_reads_nor_spoils(
    fleet: Fleet,
) -> None:
    one = await fleet.start()
    assert await sources(one, "all", "block:16") == ["node", "l1"]
    assert await sources(one, "none", "block:16") == ["node", "node"]
    assert await sources(one, "tx", "block:16") == ["node", "node"]
    assert await sources(one, "all", "block:16") == ["l1", "l1"]
    assert sum(one.cache.counts.kinds["block"].as_dict().values()) == 4


async def test_a_view_asks_whom_it_was_given_and_is_the_same_for_the_same(
    fleet: Fleet, node: Node
) -> None:
    one, batch, single = await fleet.start(), Mode(node), Mode(node)
    parsed = parse_subject("block:16")
    calls = KINDS[parsed.kind].calls(parsed)
    views = [one.fetcher.view(kinds, mode) for kinds in KEPT for mode in (batch, single)]
    assert len(set(map(id, views))) == 6
    assert views == [one.fetcher.view(kinds, mode) for kinds in KEPT for mode in (batch, single)]
    assert (await one.fetcher.view("all", single).fetch(calls)).source == "node"
    assert (single.asked, batch.asked) == (1, 0)
    # Whatever way it was asked for, what is known is known to all.
    assert (await one.fetcher.view("all", batch).fetch(calls)).source == "l1"
    assert (await one.fetcher.view("none", batch).fetch(calls, fresh=True)).source == "node"
    assert (single.asked, batch.asked) == (1, 1)


async def test_views_of_clients_that_come_and_go_do_not_add_up(fleet: Fleet, node: Node) -> None:
    one = await fleet.start()
    for _ in range(200):
        one.fetcher.view("none", Mode(node))
    assert len(one.fetcher._views) <= 64
    mode = Mode(node)
    assert one.fetcher.view("none", mode) is one.fetcher.view("none", mode)


async def test_kinds_of_no_known_name_are_refused(fleet: Fleet) -> None:
    one = await fleet.start()
    with pytest.raises(ValueError, match="none named 'blocks'; one of tx, none, all"):
        one.fetcher.view("blocks")


@pytest.mark.parametrize("kinds", sorted(KEPT))
async def test_the_wrong_chain_raises_doubt_whatever_is_kept(
    fleet: Fleet, node: Node, kinds: str
) -> None:
    one = await fleet.start()
    before = one.fetcher.namespace
    node.error = WrongChain("serves chain 5, not 1", node="node-1")
    with pytest.raises(WrongChain):
        await sources(one, kinds, "block:16")
    assert one.fetcher.namespace == b""
    node.error = None
    await until(lambda: one.fetcher.namespace == before, what="it is known again")


async def hot_in_valkey(fleet: Fleet) -> Process:
    """One process that has told the fleet what is hot with it."""
    one = await fleet.start()
    for _ in range(40):
        for subject in SUBJECTS.values():
            await one.fetch(subject)
    await one.fetcher._remember()
    return one


async def test_a_worker_starts_warm_or_cold_and_is_warmed_where_it_is_switched_on(
    fleet: Fleet,
) -> None:
    await hot_in_valkey(fleet)
    warm = await fleet.start()
    assert (len(warm.cache.l1), warm.cache.counts.warmed) == (3, 3)
    cold = await fleet.start(knows_chain=False)
    cold.cache.variants.set_warming("off")
    await asyncio.wait_for(cold.fetcher.is_warm.wait(), 5)
    assert (len(cold.cache.l1), cold.cache.counts.warmed) == (0, 0)
    cold.cache.variants.set_warming("on")
    await until(lambda: cold.cache.counts.warmed == 3, what="it is warmed")
    assert (await cold.fetch("block:16")).source == "l1"
    # Off and on again: what it holds stays, and is not read once more.
    cold.cache.variants.set_warming("off")
    cold.cache.variants.set_warming("on")
    await until(lambda: cold.fetcher._filling is None or cold.fetcher._filling.done(), what="done")
    assert (len(cold.cache.l1), cold.cache.counts.warmed) == (3, 3)


async def test_warming_does_not_bring_back_what_was_purged(fleet: Fleet) -> None:
    one = await hot_in_valkey(fleet)
    cold = await fleet.start(knows_chain=False)
    cold.cache.variants.set_warming("off")
    await asyncio.wait_for(cold.fetcher.is_warm.wait(), 5)
    cold.cache.purge("block")
    cold.cache.variants.set_warming("on")
    await until(lambda: cold.cache.counts.warmed == 2, what="all else is there")
    tags = Counter(tag for key in cold.cache.l1 for tag in cold.cache.l1._entries[key].tags)
    assert tags["block"] == 0
    assert tags["tx"] == tags["address"] == 1
    assert block_tag(TX["blockHash"]) in tags
    assert one is not cold


async def test_a_server_that_goes_while_l1_is_filled_costs_nothing(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await fleet.start(knows_chain=False)
    one.cache.variants.set_warming("off")
    await asyncio.wait_for(one.fetcher.is_warm.wait(), 5)

    async def gone(*_: object, **__: object) -> int:
        raise CacheError("gone")

    monkeypatch.setattr("validation.cache.warming.warm", gone)
    one.cache.variants.set_warming("on")
    filling = one.fetcher._filling
    assert filling is not None
    await filling
    assert (await one.fetch("block:16")).source == "node"
