"""Each item asks the fetcher of its variants, and is counted under them."""

from collections import Counter
from collections.abc import Mapping, Sequence

from validation.flags import CACHED_KINDS, FETCH_MODE
from validation.item_variants import Choices, ItemPlan, Share, Split, Whole
from validation.rpc import Call, Reply

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
    for subject in SUBJECTS:
        fetcher = chooser.fetcher(subject)
        assert isinstance(fetcher, Named)
        found[fetcher.variants] += 1
    chooser.tell(len(SUBJECTS))
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
