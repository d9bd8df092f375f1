"""Each item asks the fetcher of its variants, and is counted under them."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from tests.devnode.conftest import chain
from tests.engine.world import World
from validation.devnode.chain import Chain
from validation.engine import Engine, no_node
from validation.flags import CACHED_KINDS, FETCH_MODE
from validation.item_variants import Choices, ItemPlan, Share, Split, Whole
from validation.rpc import BreakerOpen, Call, Reply

__all__ = ["chain"]

SUBJECTS = [f"tx:0x{n:064x}" for n in range(1_000)]


class Named:
    def __init__(self, mode: str, kinds: str) -> None:
        self.variants = (mode, kinds)

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        raise NotImplementedError


class Counts:
    def __init__(self) -> None:
        self.of: dict[str, Counter[str]] = {}

    def __call__(self, key: str, counts: Mapping[str, int]) -> None:
        self.of.setdefault(key, Counter()).update(counts)


def ask(plan: ItemPlan, choices: Choices | None = None) -> Counter[tuple[str, str]]:
    """How many items asked which fetcher."""
    chooser = (choices or Choices(Named)).by(plan)
    found: Counter[tuple[str, str]] = Counter()
    for place, subject in enumerate(SUBJECTS):
        fetcher = chooser.fetcher(subject, place)
        assert isinstance(fetcher, Named)
        found[fetcher.variants] += 1
    chooser.tell([no_node(subject) for subject in SUBJECTS])
    return found


def test_all_ask_the_same_where_no_flag_is_split() -> None:
    counts = Counts()
    plan = ItemPlan(of={FETCH_MODE.key: Whole("batch")}, count=counts)
    assert ask(plan) == {("batch", "all"): 1_000}
    assert counts.of == {FETCH_MODE.key: {"batch": 1_000}, CACHED_KINDS.key: {"all": 1_000}}


def test_two_splits_are_independent_and_counted_one_by_one() -> None:
    counts = Counts()
    shares: dict[str, Share] = {
        FETCH_MODE.key: Split(FETCH_MODE.key, stage=25, target="batch", rest="coalesced"),
        CACHED_KINDS.key: Split(CACHED_KINDS.key, stage=50, target="none", rest="all"),
    }
    plan = ItemPlan(of=shares, count=counts)
    found = ask(plan)
    assert len(found) == 4
    for variants, count in found.items():
        expected = (0.25 if variants[0] == "batch" else 0.75) * 0.5
        assert abs(count / 1_000 - expected) < 0.06
    assert counts.of[FETCH_MODE.key]["batch"] == sum(
        plan.variant_of(FETCH_MODE, subject) == "batch" for subject in SUBJECTS
    )
    assert sum(counts.of[CACHED_KINDS.key].values()) == 1_000


class Encoded(str):
    """Counts how often it was encoded: what an item costs beside its hashes."""

    __slots__ = ("times",)

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        self.times = getattr(self, "times", 0) + 1
        return super().encode(encoding, errors)


def test_a_subject_is_encoded_once_for_all_flags() -> None:
    shares: dict[str, Share] = {
        FETCH_MODE.key: Split(FETCH_MODE.key, stage=25, target="batch", rest="coalesced"),
        CACHED_KINDS.key: Split(CACHED_KINDS.key, stage=50, target="none", rest="all"),
    }
    subject = Encoded("tx:0x1")
    Choices(Named).by(ItemPlan(of=shares)).fetcher(subject, 0)
    assert subject.times == 1


@pytest.mark.parametrize("stage", [50, 100])
async def test_items_are_counted_once_their_chunk_is_done_and_not_when_it_is_given_back(
    chain: Chain, stage: int
) -> None:
    """A chunk that was held, or cancelled, comes again: its items would count twice."""
    share: Share = Whole("batch")
    if stage < 100:
        share = Split(FETCH_MODE.key, stage=stage, target="batch", rest="coalesced")
    counts = Counts()
    plan = ItemPlan(of={FETCH_MODE.key: share}, count=counts)
    subjects = [f"tx:{tx}" for tx in chain.transactions[:20]]

    class Shut(World):
        async def fetch(
            self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
        ) -> Reply:
            raise BreakerOpen("no node lets anything through")

    def over(world: World) -> Engine:
        made = world.engine()
        choices = Choices(lambda _mode, _kinds: world)
        return Engine(made.client, made.fetcher, made.grounds, choices=choices)

    shut = over(Shut(chain, ("a",)))
    [*outcomes] = await shut.validate_many(subjects, level=1, plan=plan)
    assert {outcome.reason for outcome in outcomes} == {"breaker_open"}
    assert counts.of == {}
    cancelled = asyncio.create_task(
        over(World(chain, ("a",))).validate_many(subjects, level=1, plan=plan)
    )
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert counts.of == {}
    await over(World(chain, ("a",))).validate_many(subjects, level=1, plan=plan)
    assert sum(counts.of[FETCH_MODE.key].values()) == 20


def test_fetchers_are_made_once_a_variant() -> None:
    made: list[tuple[str, str]] = []

    def make(mode: str, kinds: str) -> Named:
        made.append((mode, kinds))
        return Named(mode, kinds)

    choices = Choices(make)
    split = Split(FETCH_MODE.key, stage=50, target="batch", rest="coalesced")
    for plan in (ItemPlan(), ItemPlan(of={FETCH_MODE.key: split}), ItemPlan()):
        ask(plan, choices)
    assert sorted(made) == [("batch", "all"), ("coalesced", "all")]
