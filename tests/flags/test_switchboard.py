"""Only what differs is applied; one flag that cannot be keeps nobody from the others."""

from collections.abc import Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from validation.cache import CacheConfig, L1Config, TieredCache
from validation.deciding import Decision, Decisions
from validation.engine import Engine, no_node
from validation.flags import ALL, FETCH_MODE, OF_ITEMS, OF_PROCESSES
from validation.item_variants import Choices, ItemPlan, Share, Split, Whole
from validation.memory import MemoryGuard
from validation.resilience import Breakers
from validation.rpc import NodeUrl, RateBudgets, RpcConfig
from validation.switchboard import Switchboard
from validation.toggles import TOGGLES, Parts


class Part:
    """A toggle. Takes "a" and "b"; "late" only from the second time on."""

    def __init__(self) -> None:
        self.applied: list[object] = []
        self.tries = 0

    def apply(self, parts: Parts, value: Any) -> None:
        del parts
        self.tries += 1
        if value == "unknown":
            raise ValueError("there is none named 'unknown'")
        if str(value).startswith("broken"):
            raise KeyError(value)
        if value == "late" and self.tries < 2:
            raise TimeoutError("the loop had no turn")
        self.applied.append(value)

    def equip(self, engine: Engine, value: Any) -> None:
        raise NotImplementedError

    def in_force(self, parts: Parts) -> str:
        del parts
        return str(self.applied[-1]) if self.applied else ""


def new_engine() -> Engine:
    # Workers log what failed; by itself a client logs nothing.
    config = RpcConfig(nodes=(NodeUrl.parse("http://one:8545"),), request_log="failures")
    return Engine.on(config)


def parts(*engines: Engine) -> Parts:
    cache = TieredCache(CacheConfig(l1=L1Config(max_entries=10)), breaker=Breakers().get("l2"))
    guard = MemoryGuard(lambda: None, drop_half=lambda: None, drop_all=lambda: None)
    return Parts(
        cache=cache, breakers=Breakers(), budgets=RateBudgets(), guard=guard, engines=engines
    )


def decided(**values: str | int) -> Decisions:
    return Decisions(
        of={
            key: Decision(key=key, variant=str(value), value=value, reason="STATIC")
            for key, value in values.items()
        }
    )


def refused(board: Switchboard, **values: str | int) -> Mapping[str, str]:
    board.apply(decided(**values))
    return board.take(decided(**values))


async def test_only_what_differs_is_applied() -> None:
    one, other = Part(), Part()
    board = Switchboard(parts, {"one": one, "other": other})
    for values in ({"one": "a", "other": "a"}, {"one": "a", "other": "b"}):
        assert board.has_news(decided(**values))
        board.apply(decided(**values))
        assert not board.has_news(decided(**values))
    assert (one.applied, other.applied) == (["a"], ["a", "b"])
    assert board.in_force()["other"] == "b"


async def test_a_flag_that_is_refused_leaves_the_others_and_what_was() -> None:
    one, other = Part(), Part()
    board = Switchboard(parts, {"one": one, "other": other})
    board.apply(decided(one="a"))
    assert refused(board, one="unknown", other="b") == {"one": "there is none named 'unknown'"}
    assert (one.in_force(parts()), other.in_force(parts())) == ("a", "b")
    assert refused(board, one="b", other="b") == {}
    assert one.applied == ["a", "b"]


async def test_what_failed_is_tried_again_at_the_next_turn() -> None:
    late = Part()
    board = Switchboard(parts, {"late": late})
    with capture_logs() as logs:
        assert list(refused(board, late="late")) == ["late"]
    assert logs[0]["event"] == "flag.failed"
    assert board.has_news(decided(late="late"))
    assert refused(board, late="late") == {}
    assert late.applied == ["late"]


async def test_what_fails_at_each_turn_is_said_once_a_value() -> None:
    board = Switchboard(parts, {"one": Part()})
    with capture_logs() as logs:
        for value in ("broken", "broken", "broken", "broken too", "a", "broken"):
            board.apply(decided(one=value))
    assert [log["value"] for log in logs] == ["broken", "broken too", "broken"]


async def test_one_that_cannot_say_what_holds_leaves_the_others_to_say_it() -> None:
    """Else the process would tell the fleet nothing at all, and be taken for dead."""

    class Silent(Part):
        def in_force(self, parts: Parts) -> str:
            raise KeyError("limiter")

    board = Switchboard(parts, {"silent": Silent(), "other": Part()})
    board.apply(decided(silent="a", other="b"))
    with capture_logs() as logs:
        for _ in range(3):
            told = board.in_force()
    assert (told["silent"], told["other"]) == ("", "b")
    assert [log["event"] for log in logs] == ["flag.not_told"]


@pytest.mark.parametrize(
    ("share", "holds"),
    [
        (Whole("pipelined"), "coalesced"),
        (Split(FETCH_MODE.key, stage=25, target="pipelined", rest="batch"),
         "coalesced on 25 %, batch else"),
        (Split(FETCH_MODE.key, stage=25, target="batch", rest="pipelined"),
         "batch on 25 %, coalesced else"),
        (Split(FETCH_MODE.key, stage=25, target="pipelined", rest="coalesced"), "coalesced"),
    ],
)  # fmt: skip
async def test_a_variant_of_items_of_another_release_is_refused_and_harms_no_item(
    share: Share, holds: str
) -> None:
    """What is counted and told is what items have instead."""
    counted: list[Mapping[str, int]] = []

    def count(key: str, counts: Mapping[str, int]) -> None:
        if key == FETCH_MODE.key:
            counted.append(counts)

    board = Switchboard(parts, {})
    found = board.take(Decisions(items=ItemPlan(of={FETCH_MODE.key: share}, count=count)))
    assert found == {
        FETCH_MODE.key: "there is none named 'pipelined'; one of sequential, parallel, batch, "
        "coalesced"
    }
    assert board.in_force()[FETCH_MODE.key] == holds
    engine = new_engine()
    chooser = Choices(lambda mode, _kinds: engine.client.mode(mode)).by(board.items)
    for n in range(100):
        chooser.fetcher(f"tx:{n}", n)
    chooser.tell([no_node(f"tx:{n}") for n in range(100)])
    assert sum(counted[0].values()) == 100
    assert "pipelined" not in counted[0]
    await engine.client.aclose()
    assert board.take(Decisions()) == {}


async def test_an_engine_made_later_is_as_the_others_are() -> None:
    first, later = new_engine(), new_engine()
    of = parts(first)
    board = Switchboard(lambda: of)
    board.apply(decided(**{"rpc.concurrency": "none", "rpc.sharing": "off", "cache.codec": "gzip"}))
    assert board.equip(later) is later
    for engine in (first, later):
        assert (engine.client.limiter, engine.client.sharing) == ("none", False)
        await engine.client.aclose()


async def test_a_split_among_items_is_told() -> None:
    board = Switchboard(parts, {})
    share = Split(FETCH_MODE.key, stage=25, target="batch", rest="coalesced")
    assert board.take(Decisions(items=ItemPlan(of={FETCH_MODE.key: share}))) == {}
    assert board.in_force() == {
        FETCH_MODE.key: "batch on 25 %, coalesced else", "cache.kinds": "all"
    }  # fmt: skip


def test_each_flag_of_a_process_has_a_toggle_and_those_of_items_have_none() -> None:
    assert set(TOGGLES) == {flag.key for flag in OF_PROCESSES}
    assert {flag.key for flag in ALL} - set(TOGGLES) == {flag.key for flag in OF_ITEMS}


async def test_the_codes_defaults_change_nothing() -> None:
    """A process without a source runs as it is configured."""
    one = new_engine()
    of = parts(one)
    before = {key: toggle.in_force(of) for key, toggle in TOGGLES.items()}
    board = Switchboard(lambda: of)
    assert refused(board, **{flag.key: flag.default for flag in OF_PROCESSES}) == {}
    assert {key: toggle.in_force(of) for key, toggle in TOGGLES.items()} == before
    await one.client.aclose()
