"""Whatever nodes do, an item and a chunk end in time; and no engine remembers more than it may."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.devnode.conftest import chain
from tests.engine.world import FORGED, World
from validation import engine
from validation.devnode.chain import Chain
from validation.engine import CHUNK_S
from validation.rpc import Call, Reply
from validation.validators import Outcome, Verdict
from validation.worker import STUCK_S

__all__ = ["chain"]


@pytest.fixture
def subjects(chain: Chain) -> list[str]:
    return [f"tx:{tx}" for tx in chain.transactions[:300]]


class Stalling(World):
    """Answers `good` questions, and none after them."""

    good = 0

    async def fetch_from(
        self, node: str, calls: Sequence[Call], *, timeout_s: float | None = None
    ) -> Reply:
        if sum(self.asked.values()) >= self.good:
            await asyncio.Event().wait()
        return await super().fetch_from(node, calls)


def validate(world: World, subjects: list[str], agreement: int | None = None) -> list[Outcome]:
    return asyncio.run(world.engine().validate_many(subjects, level=2, agreement=agreement))


def test_a_chunk_ends_long_before_its_worker_is_taken_to_be_stuck() -> None:
    assert STUCK_S * 2 / 3 >= CHUNK_S >= engine.ITEM_S


@pytest.mark.parametrize("runs_out", ["ITEM_S", "CHUNK_S"])
def test_items_that_no_node_settles_in_time_are_errors_and_the_others_stand(
    chain: Chain, subjects: list[str], monkeypatch: pytest.MonkeyPatch, runs_out: str
) -> None:
    monkeypatch.setattr(engine, runs_out, 0.3)
    world = Stalling(chain, ("a",))
    world.good = 5
    found = validate(world, subjects)
    assert [str(each.subject) for each in found] == subjects
    done = [each for each in found if each.verdict is Verdict.VALID]
    late = [each for each in found if each.verdict is Verdict.ERROR]
    assert (len(done), len(late)) == (5, 295)
    assert {each.reason for each in late} == {"deadline_exceeded"}
    assert "not settled within" in late[0].checks[0].detail


def test_what_is_known_of_an_item_stands_where_the_others_are_not_heard_in_time(
    chain: Chain, subjects: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "ITEM_S", 0.3)

    class Alone(World):
        async def fetch_from(
            self, node: str, calls: Sequence[Call], *, timeout_s: float | None = None
        ) -> Reply:
            if node != "liar":
                await asyncio.Event().wait()
            return await super().fetch_from(node, calls)

    world = Alone(chain, ("liar", "hangs"), lies={"liar": FORGED})
    [outcome] = validate(world, subjects[:1], 2)
    assert (outcome.verdict, outcome.reason) == (Verdict.INVALID, "hash_mismatch")
    assert outcome.agreement is not None
    assert [each.said for each in outcome.agreement.silent] == ["deadline_exceeded"]


def test_what_an_engine_forgets_it_asks_again_also_of_other_nodes(chain: Chain) -> None:
    world = World(chain, ("a", "b"))
    subject = f"tx:{chain.transactions[7]}"

    async def ask() -> None:
        one = world.engine()
        for _ in range(2):
            await one.validate_one(subject, level=3)
        assert world.asked["a"] == 3
        assert one.grounds.blocks.kept_bytes > 0
        one.forget()
        assert one.grounds.blocks.kept_bytes == 0
        await one.validate_one(subject, level=3)
        assert world.asked["a"] == 5

    asyncio.run(ask())
