"""Items of the variant that a fault names take longer by what it says, and no others do."""

import asyncio
import time
from collections.abc import Iterator, Sequence

import msgspec
import pytest

from monitoring import valkey
from tests.arms.test_chunks import SPLIT, SUBJECTS, Nobody
from tests.devnode.conftest import chain
from tests.engine.world import World
from validation import drag
from validation.devnode.chain import Chain
from validation.drag import Asked, Drag
from validation.engine import Engine, no_node
from validation.flags import CACHED_KINDS, FETCH_MODE
from validation.item_variants import Choices, ItemPlan, Whole
from validation.rpc import Call, Reply
from validation.validators import Outcome, Verdict

__all__ = ["chain"]

BATCH = Asked(flag=FETCH_MODE.key, variant="batch", more=30.0)


@pytest.fixture
def no_drag() -> Iterator[None]:
    yield
    drag.heed(None)


class Bed:
    """Where sleep takes as long as it is asked to, and `late_s` longer."""

    def __init__(self, late_s: float = 0.0) -> None:
        self.now, self.slept = 0.0, 0
        self._late_s = late_s

    async def sleep(self, seconds: float) -> None:
        self.slept += 1
        self.now += seconds + self._late_s

    def drag(self, asked: Asked = BATCH) -> Drag:
        return Drag(asked, sleep=self.sleep, clock=lambda: self.now)


def took(ms: float) -> Outcome:
    return msgspec.structs.replace(no_node("tx:0x1"), ms=ms)


async def test_an_item_takes_so_much_longer_and_says_so() -> None:
    bed = Bed()
    assert (await bed.drag().longer(took(100.0))).ms == pytest.approx(130.0)
    assert bed.now == pytest.approx(0.03)


async def test_what_is_too_short_to_sleep_is_owed_by_the_next() -> None:
    bed = Bed()
    of = bed.drag()
    total_ms = sum([(await of.longer(took(0.5))).ms for _ in range(1_000)])
    assert total_ms == pytest.approx(650, rel=0.01)
    assert bed.slept < 80


async def test_a_loop_that_wakes_late_is_made_up_for() -> None:
    bed = Bed(late_s=0.004)
    of = bed.drag()
    total_ms = sum([(await of.longer(took(10.0))).ms for _ in range(1_000)])
    assert total_ms == pytest.approx(13_000, rel=0.01)


async def test_one_item_is_not_held_for_ever() -> None:
    bed = Bed()
    of = bed.drag(msgspec.structs.replace(BATCH, more=500.0))
    assert (await of.longer(took(40_000.0))).ms == pytest.approx(45_000.0)


@pytest.mark.parametrize(
    ("variants", "is_on"), [(("batch", "all"), True), (("coalesced", "all"), False)]
)
def test_it_is_on_those_of_the_variant_alone(variants: tuple[str, str], is_on: bool) -> None:
    assert Drag(BATCH).is_on(variants) is is_on
    kinds = Asked(flag=CACHED_KINDS.key, variant="all", more=30.0)
    assert Drag(kinds).is_on(variants)


def test_where_nothing_is_asked_no_item_is_looked_at() -> None:
    choices = Choices(lambda _mode, _kinds: Nobody())
    split = {FETCH_MODE.key: SPLIT}
    assert choices.by(ItemPlan(of=split)).drags() is None
    assert choices.by(ItemPlan()).drags() is None
    assert choices.by(ItemPlan(drag=Drag(BATCH))).drags() is None
    whole = ItemPlan(of={FETCH_MODE.key: Whole("batch")}, drag=Drag(BATCH))
    assert choices.by(whole).drags() is not None
    chooser = choices.by(ItemPlan(of=split, drag=Drag(BATCH)))
    for place, subject in enumerate(SUBJECTS):
        chooser.fetcher(subject, place)
    drags = chooser.drags()
    assert drags is not None
    dragged = [subject for place, subject in enumerate(SUBJECTS) if drags(place) is not None]
    assert dragged == [s for s in SUBJECTS if SPLIT.variant_of(s.encode()) == "batch"]


class Slow(World):
    """Answers after 20 ms."""

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        await asyncio.sleep(0.02)
        return await super().fetch(calls, timeout_s=timeout_s, fresh=fresh)


async def test_an_engine_has_dragged_items_wait_and_all_get_their_verdict(chain: Chain) -> None:
    world = Slow(chain, ("a",))
    made = world.engine()
    engine = Engine(
        made.client, made.fetcher, made.grounds, choices=Choices(lambda _mode, _kinds: world)
    )
    subjects = [f"tx:{tx}" for tx in chain.transactions[:60]]
    found: dict[str, list[float]] = {}

    def done(variants: tuple[str, str], outcomes: Sequence[Outcome]) -> None:
        found[variants[0]] = [outcome.ms for outcome in outcomes]

    asked = msgspec.structs.replace(BATCH, more=200.0)
    plan = ItemPlan(of={FETCH_MODE.key: SPLIT}, done=done, drag=Drag(asked))
    began = time.perf_counter()
    outcomes = await engine.validate_many(subjects, level=1, plan=plan)
    assert time.perf_counter() - began < 10
    assert {outcome.verdict for outcome in outcomes} == {Verdict.VALID}
    assert found.keys() == {"batch", "coalesced"}
    assert min(found["batch"]) >= 3 * 20 - 4
    assert sorted(found["coalesced"])[len(found["coalesced"]) // 2] < min(found["batch"])


def test_what_is_asked_in_valkey_is_heeded_and_ends_with_it(no_drag: None) -> None:
    valkey.client().set(drag.KEY, msgspec.json.encode(BATCH), ex=drag.LIFE_S)
    drag.heed(drag.asked())
    first = drag.current()
    assert first is not None
    assert first.asked == BATCH
    drag.heed(drag.asked())
    assert drag.current() is first  # what it owes goes on
    valkey.client().delete(drag.KEY)
    drag.heed(drag.asked())
    assert drag.current() is None


@pytest.mark.parametrize(
    "body",
    ["rubbish", '{"flag":"rpc.retry","variant":"x","more":3}',
     '{"flag":"rpc.fetch_mode","variant":"batch","more":-3}'],
)  # fmt: skip
def test_what_cannot_be_heeded_is_not(body: str) -> None:
    valkey.client().set(drag.KEY, body, ex=drag.LIFE_S)
    assert drag.asked() is None
    valkey.client().delete(drag.KEY)


def test_without_a_cache_server_nothing_takes_longer(no_valkey: None) -> None:
    assert drag.asked() is None
