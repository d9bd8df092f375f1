"""A chain that moves while it is walked, and nodes that make headers up."""

import pytest

from tests.lineage.chains import Chain, Now, View, ask_of, grown, header, trusted
from tests.validators.world import Json
from validation.lineage import Lineage

CHAIN = grown([], 400)
FORK = grown(CHAIN[:25], 45, mark=1)


def of(chain: list[Json], number: int) -> tuple[int, str]:
    return number, chain[number]["hash"]


async def test_a_tip_that_moved_is_walked_again() -> None:
    node = Chain(CHAIN[:41])
    lineage = Lineage(trusted(CHAIN, 0))
    assert (await lineage.link(*of(CHAIN, 40), ask_of(node))).ok
    node.chain = FORK
    assert (await lineage.link(*of(FORK, 45), ask_of(node))).ok
    assert (await lineage.link(*of(FORK, 30), ask_of(node))).ok
    assert not (await lineage.link(*of(CHAIN, 30), ask_of(node))).ok
    assert (await lineage.link(*of(CHAIN, 24), ask_of(node))).ok


async def test_a_block_of_the_new_chain_at_a_known_height_is_linked() -> None:
    node = Chain(CHAIN[:41])
    lineage = Lineage(trusted(CHAIN, 20))
    assert (await lineage.link(*of(CHAIN, 40), ask_of(node))).ok
    node.chain = FORK
    assert (await lineage.link(*of(FORK, 28), ask_of(node))).ok
    assert not lineage.is_known(*of(CHAIN, 28))


async def test_a_reorganisation_between_two_batches_is_walked_around() -> None:
    node = Chain(CHAIN)
    lineage = Lineage(trusted(CHAIN, 0))
    moved = grown(CHAIN[:200], 400, mark=2)

    def reorganise() -> None:
        if node.fetches > 4:
            node.chain = moved

    node.before = reorganise
    assert (await lineage.link(*of(moved, 400), ask_of(node))).ok


async def test_a_deep_reorganisation_is_followed_down_to_where_it_began() -> None:
    node = Chain(CHAIN)
    lineage = Lineage(trusted(CHAIN, 0))
    assert (await lineage.link(*of(CHAIN, 400), ask_of(node))).ok
    node.chain = grown(CHAIN[:3], 401, mark=3)
    assert (await lineage.link(*of(node.chain, 401), ask_of(node))).ok


@pytest.mark.parametrize("number", [0, 9, 10, 11, 40])
async def test_a_node_on_another_chain_than_the_checkpoint_is_caught(number: int) -> None:
    other = grown([], 45, mark=7)
    node = Chain(other)
    link = await Lineage(trusted(CHAIN, 10)).link(*of(other, number), ask_of(node))
    assert (link.ok, link.node) == (False, "node-1")
    assert "checkpoint" in link.flaw
    assert (link.computed, link.claimed) == (CHAIN[10]["hash"], other[10]["hash"])


@pytest.mark.parametrize("number", [5, 30])
async def test_a_header_that_does_not_hash_to_its_hash_catches_its_node(number: int) -> None:
    node = Chain(CHAIN[:41])
    far = 15 if number > 10 else 7

    def told(at: int, block: Json | None) -> Json | None:
        return block | {"stateRoot": "0x" + "ee" * 32} if at == far and block else block

    node.told = told
    now = Now()
    lineage = Lineage(trusted(CHAIN, 10), clock=now)
    link = await lineage.link(*of(CHAIN, number), ask_of(node))
    assert (link.ok, link.node) == (False, "node-1")
    assert f"the header of block {far} hashes to" in link.flaw
    node.told = lambda _number, block: block
    now.s += 1.1
    assert (await lineage.link(*of(CHAIN, number), ask_of(node))).ok


async def test_headers_made_up_below_the_checkpoint_are_caught() -> None:
    made_up = grown(CHAIN[:3], 9, mark=9)
    node = Chain([*made_up, *CHAIN[10:]])
    link = await Lineage(trusted(CHAIN, 12)).link(*of(made_up, 6), ask_of(node))
    assert (link.ok, link.node) == (False, "node-1")
    assert (link.computed, link.claimed) == (CHAIN[9]["hash"], made_up[9]["hash"])


async def test_headers_made_up_above_it_that_do_not_link_are_caught() -> None:
    stray = [header(number, "0x" + "77" * 32, mark=9) for number in range(12, 16)]
    node = Chain([*CHAIN[:12], *stray])
    link = await Lineage(trusted(CHAIN, 10)).link(14, stray[2]["hash"], ask_of(node))
    assert (link.ok, link.node) == (False, "node-1")
    assert "block 12 names 0x7777" in link.flaw


async def test_two_nodes_that_disagree_blame_nobody() -> None:
    node = Chain(CHAIN[:41])
    lineage = Lineage(trusted(CHAIN, 10))
    assert (await lineage.link(*of(CHAIN, 30), ask_of(node))).ok
    stray = [header(31, "0x" + "77" * 32), *CHAIN[32:41]]

    def told(at: int, block: Json | None) -> Json | None:
        # Another node answers for what is above 30.
        node.label = "node-2" if at > 30 else "node-1"
        return stray[at - 31] if at > 30 else block

    node.told = told
    link = await lineage.link(31, stray[0]["hash"], ask_of(node))
    assert (link.ok, link.node) == (False, None)


async def test_another_number_than_the_one_asked_for_is_caught() -> None:
    node = Chain(CHAIN)
    node.told = lambda number, block: CHAIN[number + 1] if number == 12 else block
    link = await Lineage(trusted(CHAIN, 10)).link(*of(CHAIN, 13), ask_of(node))
    assert (link.ok, link.node) == (False, "node-1")
    assert "asked for block 12" in link.flaw


async def test_a_field_of_a_future_fork_cannot_be_hashed() -> None:
    node = Chain(CHAIN)
    node.told = lambda _number, block: (
        block | {"hash": "0x" + "aa" * 32, "blockAccessListHash": "0x" + "00" * 32}
        if block
        else None
    )
    link = await Lineage(trusted(CHAIN, 10)).link(*of(CHAIN, 13), ask_of(node))
    assert (link.ok, link.flaw, link.skip_reason) == (False, "", "unknown_field")
    assert "blockAccessListHash" in link.skip_text


async def test_a_malformed_header_is_no_flaw_of_the_item() -> None:
    node = Chain(CHAIN)
    node.told = lambda _number, block: block | {"number": "12"} if block else None
    link = await Lineage(trusted(CHAIN, 10)).link(*of(CHAIN, 13), ask_of(node))
    assert (link.ok, link.flaw, link.skip_reason) == (False, "", "malformed_header")


# -- what was linked, and may have moved


ORPHAN, HEIR = of(CHAIN, 30), of(FORK, 30)


async def after_a_reorganisation(now: Now) -> tuple[Chain, Lineage]:
    """Linked up to 40; then all from 25 on is another."""
    node = Chain(CHAIN[:41])
    lineage = Lineage(trusted(CHAIN, 10), clock=now)
    assert (await lineage.link(*of(CHAIN, 40), ask_of(node))).ok
    node.chain = FORK
    return node, lineage


async def test_who_asks_afresh_is_told_as_one_who_never_asked_before() -> None:
    node, lineage = await after_a_reorganisation(Now())
    known = await lineage.link(*ORPHAN, ask_of(node, fresh=True))
    anew = await Lineage(trusted(CHAIN, 10)).link(*ORPHAN, ask_of(node, fresh=True))
    assert (known.ok, known.flaw, known.computed) == (False, anew.flaw, HEIR[1])


async def test_what_is_known_to_be_orphaned_is_looked_at_again() -> None:
    node, lineage = await after_a_reorganisation(Now())
    view = View(final=20, orphans={ORPHAN[1]})
    assert not (await lineage.link(*ORPHAN, ask_of(node, finality=view))).ok
    assert (await lineage.link(*HEIR, ask_of(node, finality=view))).ok


async def test_what_was_seen_long_ago_and_is_not_final_is_looked_at_again() -> None:
    now = Now()
    node, lineage = await after_a_reorganisation(now)
    now.s += 2.1
    assert (await lineage.link(*ORPHAN, ask_of(node, finality=View(final=30)))).ok
    assert not (await lineage.link(*ORPHAN, ask_of(node, finality=View(final=29)))).ok
    assert not (await lineage.link(*ORPHAN, ask_of(node))).ok


async def test_one_look_at_the_top_tells_of_all_below() -> None:
    now, node = Now(), Chain(CHAIN[:41])
    lineage = Lineage(trusted(CHAIN, 10), clock=now)
    assert (await lineage.link(*of(CHAIN, 40), ask_of(node))).ok
    now.s += 2.1
    node.asked.clear()
    for number in range(41):
        assert (await lineage.link(*of(CHAIN, number), ask_of(node))).ok
    assert [int(asked, 16) for asked in node.asked if int(asked, 16) > 10] == [40]
