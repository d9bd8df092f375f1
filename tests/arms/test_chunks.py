"""Items of a chunk count for the variants that they had, and that their process had all along."""

from collections.abc import Mapping, Sequence
from typing import Any

from validation.deciding import Decision, Decisions
from validation.flags import CACHED_KINDS, FETCH_MODE
from validation.item_variants import Choices, Chooser, ItemPlan, Share, Split, Whole
from validation.rpc import Call, Reply
from validation.switchboard import Switchboard
from validation.toggles import Parts
from validation.validators import Outcome, Verdict

SUBJECTS = [f"tx:0x{n:064x}" for n in range(400)]
SPLIT = Split(FETCH_MODE.key, stage=25, target="batch", rest="coalesced")


class Nobody:
    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        raise NotImplementedError


class Part:
    """A toggle that takes all but "unknown"."""

    def apply(self, parts: Parts, value: Any) -> None:
        if value == "unknown":
            raise ValueError("there is none named 'unknown'")

    def equip(self, engine: object, value: Any) -> None:
        raise NotImplementedError

    def in_force(self, parts: Parts) -> str:
        raise NotImplementedError


def no_parts() -> Parts:
    return None  # type: ignore[return-value]  # no toggle of these tests looks at them


def board() -> Switchboard:
    return Switchboard(no_parts, {"one": Part(), "two": Part()})


def decide(board: Switchboard, revision: int = 1, **processes: str) -> None:
    """As a worker does: those of processes first, on the loop's thread."""
    of = {
        key: Decision(key=key, variant=f"{value}-variant", value=value, reason="STATIC")
        for key, value in processes.items()
    }
    shares: dict[str, Share] = {FETCH_MODE.key: SPLIT, CACHED_KINDS.key: Whole("all")}
    decisions = Decisions(of=of, items=ItemPlan(of=shares), revision=revision)
    board.apply(decisions)
    board.take(decisions)


def begin(board: Switchboard) -> Chooser:
    chooser = Choices(lambda _mode, _kinds: Nobody()).by(board.plan())
    for place, subject in reversed(list(enumerate(SUBJECTS))):  # in whichever order
        chooser.fetcher(subject, place)
    return chooser


def outcomes() -> list[Outcome]:
    """Those that are asked in batches took 30 ms and ended in errors, the others took 10 ms."""
    return [
        Outcome(
            subject=subject,
            verdict=Verdict.ERROR if is_slow else Verdict.VALID,
            level=1,
            reason="",
            checks=(),
            node="",
            ms=30.0 if is_slow else 10.0,
        )
        for subject in SUBJECTS
        if (is_slow := SPLIT.variant_of(subject.encode()) == "batch") is not None
    ]


def units(board: Switchboard) -> dict[str, dict[str, int]]:
    flags = board.arms.told().flags
    return {key: {name: of.units for name, of in each.items()} for key, each in flags.items()}


def test_items_count_for_their_own_variant_with_their_own_times_and_errors() -> None:
    of = board()
    decide(of, one="a", revision=9)
    begin(of).tell(outcomes())
    told = of.arms.told()
    batch, rest = told.flags[FETCH_MODE.key]["batch"], told.flags[FETCH_MODE.key]["coalesced"]
    assert batch.units + rest.units == len(SUBJECTS)
    assert 60 < batch.units < 140
    assert (batch.error_share, rest.error_share) == (1.0, 0.0)
    for work, seconds in ((batch, 0.03), (rest, 0.01)):
        assert work.mean_s is not None
        assert abs(work.mean_s - seconds) < 1e-9
        assert sum(work.buckets) == work.units
    assert units(of)["one"] == {"a-variant": len(SUBJECTS)}
    assert units(of)[CACHED_KINDS.key] == {"all": len(SUBJECTS)}
    assert told.revision == 9
    assert told.holds == {"one": "a-variant", CACHED_KINDS.key: "all"}


def test_a_flag_of_a_process_that_changed_while_the_chunk_was_at_work_is_counted_to_neither() -> (
    None
):
    of = board()
    decide(of, one="a", two="a")
    chooser = begin(of)
    decide(of, one="b", two="a", revision=2)
    chooser.tell(outcomes())
    assert units(of)["one"] == {"b-variant": 0}
    assert units(of)["two"] == {"a-variant": len(SUBJECTS)}
    begin(of).tell(outcomes())
    assert units(of)["one"] == {"b-variant": len(SUBJECTS)}


def test_a_variant_that_is_refused_here_has_done_nothing() -> None:
    of = board()
    decide(of, one="unknown", two="a")
    begin(of).tell(outcomes())
    assert "one" not in units(of)
    assert units(of)["two"] == {"a-variant": len(SUBJECTS)}


def test_before_anything_is_decided_the_codes_own_variants_do_the_work() -> None:
    of = board()
    begin(of).tell(outcomes())
    found: Mapping[str, Mapping[str, int]] = units(of)
    assert found == {
        FETCH_MODE.key: {FETCH_MODE.default: len(SUBJECTS)},
        CACHED_KINDS.key: {CACHED_KINDS.default: len(SUBJECTS)},
    }
