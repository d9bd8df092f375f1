"""Nobody is accused of lying to the operator before another node was asked."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import UNSET

from tests.devnode.conftest import chain
from tests.engine.world import FORGED, World, altered
from validation import keeping, second_opinion
from validation.devnode.chain import Chain
from validation.evidence import unpack
from validation.keeping import Keeping
from validation.rpc import Call, NodeTimeout, Reply
from validation.second_opinion import SecondOpinions
from validation.subjects import parse_subject
from validation.validators import Grounds, Outcome, Verdict

__all__ = ["chain"]

COUNT = 40


@pytest.fixture
def subjects(chain: Chain) -> list[str]:
    return [f"tx:{tx}" for tx in chain.transactions[:COUNT]]


def validate(
    world: World, subjects: list[str], *, keeping: Keeping | None = None, level: int = 2
) -> list[Outcome]:
    return asyncio.run(world.engine().validate_many(subjects, level=level, keeping=keeping))


def test_what_one_node_lies_about_is_valid_by_another_and_the_liar_is_caught(
    chain: Chain, subjects: list[str]
) -> None:
    world = World(chain, ("liar", "honest"), lies={"liar": FORGED})
    for outcome in validate(world, subjects, keeping=Keeping()):
        assert (outcome.verdict, outcome.node, outcome.level) == (Verdict.VALID, "honest", 2)
        assert outcome.caught is not UNSET
        assert {caught.node for caught in outcome.caught} == {"liar"}
        assert "hash" in {caught.check for caught in outcome.caught}
        # What is kept is the proof of the lie, not of the truth.
        assert outcome.bundle is not UNSET
        told = unpack(outcome.bundle)
        assert (told.subject, told.outcome.verdict) == (outcome.subject, Verdict.INVALID)


def test_two_liars_are_both_caught_by_the_third(chain: Chain, subjects: list[str]) -> None:
    other = altered("eth_getTransactionReceipt", status="0x0", gasUsed="0xffffffffff")
    world = World(chain, ("a", "b", "c"), lies={"a": FORGED, "b": other})
    [outcome] = validate(world, subjects[:1])
    assert (outcome.verdict, outcome.node) == (Verdict.VALID, "c")
    assert {caught.node for caught in outcome.caught or ()} == {"a", "b"}


def test_an_item_that_every_node_says_the_same_of_is_invalid(
    chain: Chain, subjects: list[str]
) -> None:
    world = World(chain, ("a", "b"), lies={"a": FORGED, "b": FORGED})
    [outcome] = validate(world, subjects[:1], keeping=Keeping())
    assert (outcome.verdict, outcome.reason, outcome.node) == (
        Verdict.INVALID, "hash_mismatch", "a",
    )  # fmt: skip
    assert outcome.bundle is not UNSET


def test_an_honest_fleet_asks_one_node_of_each_item(chain: Chain, subjects: list[str]) -> None:
    world = World(chain, ("a", "b"))
    outcomes = validate(world, subjects, keeping=Keeping())
    assert {outcome.verdict for outcome in outcomes} == {Verdict.VALID}
    assert world.asked == {"a": COUNT}
    assert all(each.caught is UNSET and each.bundle is UNSET for each in outcomes)


def test_what_is_one_nodes_alone_is_shared_and_let_go_as_all_else_is(
    chain: Chain, subjects: list[str]
) -> None:
    """Made after the flag said so, or before."""
    world = World(chain, ("liar", "honest"), lies={"liar": FORGED})

    async def run() -> None:
        engine = world.engine()
        opinions = engine._opinions
        engine.share(flights=False)
        await engine.validate_many(subjects, level=3)
        [blocks] = [apart.grounds.blocks for apart in opinions._apart.values()]
        joined = [blocks._blocks.joins]
        engine.share(flights=True)
        joined.append(blocks._blocks.joins)
        assert joined == [False, True]
        assert blocks.kept_bytes > 0
        engine.shrink(0.0)
        assert blocks.kept_bytes == 0

    asyncio.run(run())


def test_with_one_node_there_is_nobody_to_ask(chain: Chain, subjects: list[str]) -> None:
    world = World(chain, ("a",), lies={"a": FORGED})
    [outcome] = validate(world, subjects[:1])
    assert (outcome.verdict, outcome.node) == (Verdict.INVALID, "a")


def test_other_nodes_that_are_down_cost_one_question_each_not_one_an_item(
    chain: Chain, subjects: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_opinion, "_AT_ONCE", 4)
    world = World(chain, ("liar", "down"), lies={"liar": FORGED}, down={"down"})
    outcomes = validate(world, subjects)
    assert {outcome.verdict for outcome in outcomes} == {Verdict.INVALID}
    assert world.asked["down"] <= 4


class Hanging(World):
    """One of the nodes never answers; the time that a question may take runs out."""

    async def fetch_from(
        self, node: str, calls: Sequence[Call], *, timeout_s: float | None = None
    ) -> Reply:
        if node == "hangs":
            self.asked[node] += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await asyncio.Event().wait()
            raise NodeTimeout(f"nothing came in {timeout_s} s", node=node)
        return await super().fetch_from(node, calls)


@pytest.mark.parametrize("runs_out", ["_ASK_S", "_WITHIN_S"])
def test_a_node_that_never_answers_holds_nobody_up_and_is_left_alone(
    chain: Chain, subjects: list[str], monkeypatch: pytest.MonkeyPatch, runs_out: str
) -> None:
    monkeypatch.setattr(second_opinion, runs_out, 0.01)
    monkeypatch.setattr(second_opinion, "_AT_ONCE", 4)
    world = Hanging(chain, ("liar", "hangs"), lies={"liar": FORGED})
    outcomes = validate(world, subjects)
    assert {outcome.verdict for outcome in outcomes} == {Verdict.INVALID}
    assert world.asked["hangs"] <= 4


def test_who_hangs_does_not_keep_the_next_from_being_asked(
    chain: Chain, subjects: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_opinion, "_ASK_S", 0.01)
    world = Hanging(chain, ("liar", "hangs", "honest"), lies={"liar": FORGED})
    outcomes = validate(world, subjects)
    assert {(each.verdict, each.node) for each in outcomes} == {(Verdict.VALID, "honest")}


def test_little_is_remembered_of_other_nodes_and_nothing_of_those_that_left(
    chain: Chain, subjects: list[str]
) -> None:
    names = tuple(f"n{n}" for n in range(20))
    world = World(chain, names)
    opinions = SecondOpinions(Grounds(chain_id=chain.chain_id, others=world))
    subject = parse_subject(subjects[0])

    async def ask() -> None:
        for name in names:
            word = await opinions.of(name, subject, level=3)
            assert word.outcome.verdict is Verdict.VALID
        assert len(opinions._apart) == 8
        asked = sum(world.asked.values())
        await opinions.of("n19", subject, level=3)
        assert sum(world.asked.values()) == asked + 1  # its block is remembered
        world.names = ("n18", "n1")
        await opinions.of("n1", subject, level=3)
        assert set(opinions._apart) == {"n18", "n1"}

    asyncio.run(ask())


def test_a_node_that_does_not_know_the_item_clears_nobody(
    chain: Chain, subjects: list[str]
) -> None:
    world = World(chain, ("liar", "empty"), lies={"liar": FORGED, "empty": lambda _, said: None})
    [outcome] = validate(world, subjects[:1])
    assert (outcome.verdict, outcome.node) == (Verdict.INVALID, "liar")


def test_a_chunk_of_lies_keeps_as_many_bundles_as_there_is_room_for(
    chain: Chain, subjects: list[str]
) -> None:
    keeping = Keeping()
    keeping._bundles = 10
    world = World(chain, ("liar", "honest"), lies={"liar": FORGED})
    outcomes = validate(world, subjects, keeping=keeping)
    assert sum(outcome.bundle is not UNSET for outcome in outcomes) == 10


def test_a_lie_that_is_long_and_packs_well_is_not_kept(
    chain: Chain, subjects: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks at it holds in memory what it unpacks to."""
    monkeypatch.setattr(keeping, "_DOCUMENT_BYTES", 1 << 20)

    def long(method: str, said: Any) -> Any:
        told = FORGED(method, said)
        return told | {"input": "0x" + "00" * (1 << 20)} if "input" in told else told

    world = World(chain, ("liar", "honest"), lies={"liar": long})
    [outcome] = validate(world, subjects[:1], keeping=Keeping())
    assert {caught.node for caught in outcome.caught or ()} == {"liar"}
    assert outcome.bundle is UNSET
    monkeypatch.setattr(keeping, "_DOCUMENT_BYTES", 4 << 20)
    [outcome] = validate(world, subjects[:1], keeping=Keeping())
    assert outcome.bundle is not UNSET
