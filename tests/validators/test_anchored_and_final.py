"""Levels 4 and 5: linked to a checkpoint, and final by the word of more than one node."""

from typing import Any

import pytest

from tests.validators.states import Made, Nodes, State, StateNode, header_of
from tests.validators.world import detail, statuses
from validation.checkpoint import Checkpoint
from validation.lineage import Lineage
from validation.rpc import NodeTimeout
from validation.subjects import parse_subject
from validation.validators import Grounds, Outcome, Verdict, validate

ADDRESS = "0x" + "a1" * 20
STATE = State({ADDRESS: Made(balance=3)})


def node(label: str) -> StateNode:
    return StateNode(STATE, label=label)


def grounds(nodes: Nodes) -> Grounds:
    """The block that all of them know is the checkpoint itself."""
    checkpoint = Checkpoint(16, header_of(STATE.root)["hash"])
    return Grounds(chain_id=1, checkpoint=checkpoint, others=nodes, lineage=Lineage(checkpoint))


async def final(nodes: Nodes, known: Grounds | None = None, *, level: int = 5) -> Outcome:
    known = known or grounds(nodes)
    return await validate(parse_subject(ADDRESS), level=level, fetcher=nodes, grounds=known)


def swapped(**changed: str) -> Any:
    """Tells a header with these fields, and the hash that it then has."""
    return lambda _: header_of(STATE.root, **{"number": 16, **changed})  # type: ignore[arg-type]


async def test_two_nodes_make_it_final() -> None:
    outcome = await final(Nodes(node("one"), node("two")))
    assert (outcome.verdict, outcome.level, outcome.reason) == (Verdict.VALID, 5, "ok"), outcome
    assert (statuses(outcome)["anchored"], statuses(outcome)["final"]) == ("pass", "pass")


async def test_what_is_final_is_asked_for_once_for_all_items_of_a_block() -> None:
    nodes = Nodes(node("one"), node("two"))
    known = grounds(nodes)
    for _ in range(3):
        assert (await final(nodes, known)).verdict is Verdict.VALID
    assert len(nodes.by_label["two"].asked) == 1


async def test_nobody_is_asked_what_is_final_below_level_5() -> None:
    nodes = Nodes(node("one"), node("two"))
    assert (await final(nodes, level=4)).level == 4
    assert nodes.by_label["two"].asked == []


@pytest.mark.parametrize("others", [None, "itself"])
async def test_one_node_alone_makes_nothing_final(others: str | None) -> None:
    nodes = Nodes(node("one"))
    known = grounds(nodes)
    if others is None:
        known = Grounds(checkpoint=known.checkpoint, lineage=known.lineage)
    outcome = await final(nodes, known)
    assert (outcome.verdict, outcome.level) == (Verdict.UNVERIFIABLE, 4)
    assert outcome.reason == "no_other_node"


async def test_a_disagreement_names_who_said_what_and_blames_nobody() -> None:
    nodes = Nodes(node("one"), node("two"), node("three"))
    nodes.by_label["two"].told["eth_getBlockByNumber"] = swapped(extraData="0x01")
    other = header_of(STATE.root, extraData="0x01")["hash"]
    outcome = await final(nodes)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNVERIFIABLE, "final_disputed")
    assert f"two says {other}" in detail(outcome, "final")
    assert not outcome.caught


async def test_a_silent_node_is_no_second_word() -> None:
    nodes = Nodes(node("one"), node("two"))
    nodes.error = NodeTimeout("nothing", node="two")
    outcome = await final(nodes)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNVERIFIABLE, "others_silent")
    assert "two did not answer (node_timeout)" in detail(outcome, "final")


@pytest.mark.parametrize(
    "lie",
    [
        lambda _: None,
        lambda header: header | {"stateRoot": "0x" + "11" * 32},
        lambda _: 5,
    ],
)
async def test_a_header_that_cannot_be_believed_is_no_word(lie: Any) -> None:
    nodes = Nodes(node("one"), node("two"))
    nodes.by_label["two"].told["eth_getBlockByNumber"] = lie
    assert (await final(nodes)).reason == "others_silent"


async def test_what_is_not_final_elsewhere_yet_is_not_final() -> None:
    nodes = Nodes(node("one"), node("two"))
    nodes.by_label["two"].told["eth_getBlockByNumber"] = lambda _: header_of(STATE.root, 12)
    outcome = await final(nodes)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNVERIFIABLE, "not_final_yet")
    assert "block 12" in detail(outcome, "final")


async def test_a_node_without_the_tag_proves_nothing_at_level_5() -> None:
    nodes = Nodes(node("one"), node("two"))
    nodes.by_label["one"].told["eth_getBlockByNumber"] = lambda _: None
    outcome = await final(nodes)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNVERIFIABLE, "no_finalized_tag")


async def test_without_a_checkpoint_nothing_is_final() -> None:
    outcome = await final(Nodes(node("one"), node("two")), Grounds())
    assert (outcome.verdict, outcome.level) == (Verdict.UNVERIFIABLE, 3)
    assert outcome.reason == "no_checkpoint"
    assert "final" not in statuses(outcome)
