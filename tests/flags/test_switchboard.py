"""Only what differs is applied; one flag that cannot be keeps nobody from the others."""

from typing import Any

from structlog.testing import capture_logs

from validation.cache import CacheConfig, L1Config, TieredCache
from validation.deciding import Decision, Decisions
from validation.engine import Engine
from validation.flags import ALL, FETCH_MODE, OF_ITEMS, OF_PROCESSES
from validation.item_plans import ItemPlan, Split
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
    board.apply(decided(one="unknown", other="b"))
    assert board.refused == {"one": "there is none named 'unknown'"}
    assert (one.in_force(parts()), other.in_force(parts())) == ("a", "b")
    board.apply(decided(one="b", other="b"))
    assert board.refused == {}
    assert one.applied == ["a", "b"]


async def test_what_failed_is_tried_again_at_the_next_turn() -> None:
    late = Part()
    board = Switchboard(parts, {"late": late})
    with capture_logs() as logs:
        board.apply(decided(late="late"))
    assert list(board.refused) == ["late"]
    assert logs[0]["event"] == "flag.failed"
    assert board.has_news(decided(late="late"))
    board.apply(decided(late="late"))
    assert (late.applied, board.refused) == (["late"], {})


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
    board.apply(Decisions(items=ItemPlan(of={FETCH_MODE.key: share})))
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
    board.apply(decided(**{flag.key: flag.default for flag in OF_PROCESSES}))
    assert board.refused == {}
    assert {key: toggle.in_force(of) for key, toggle in TOGGLES.items()} == before
    await one.client.aclose()
