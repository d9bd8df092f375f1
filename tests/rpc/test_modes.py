"""The fetch modes: what goes over the wire in each, and that in all else they are one."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from tests.rpc.conftest import RunOut
from tests.rpc.scripted import LONG_S, Asked, ScriptedNode, client_of, echo, never, refusal, until
from validation.resilience import BreakerConfig, Breakers, Override
from validation.rpc import (
    FORMS,
    BreakerOpen,
    Call,
    CallRefused,
    ClientClosed,
    DeadlineExceeded,
    HttpStatus,
    NodeTimeout,
    RpcClient,
    WrongChain,
    breaker_name,
)
from validation.rpc.rates import RateLease

MODES = tuple(FORMS)
SINGLE = ("sequential", "parallel")
ABC = ("a", "b", "c")


def abc() -> list[Call]:
    return [echo(name) for name in ABC]


class Counted:
    """A node that knows how many requests it has at once, and how many it had at most."""

    def __init__(self, node: ScriptedNode) -> None:
        self.now = self.most = 0
        node.default = self

    async def __call__(self, asked: Asked) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.01)
        self.now -= 1
        asked.answer()


@pytest.fixture
async def client(node: ScriptedNode) -> AsyncIterator[RpcClient]:
    async with client_of(node) as client:
        yield client


@pytest.mark.parametrize(
    ("mode", "sizes", "at_once"),
    [
        ("sequential", [1, 1, 1], 1),
        ("parallel", [1, 1, 1], 3),
        ("batch", [3], 1),
        ("coalesced", [3], 1),
    ],
)
async def test_how_the_calls_of_one_item_are_asked(
    client: RpcClient, node: ScriptedNode, mode: str, sizes: list[int], at_once: int
) -> None:
    counted = Counted(node)
    reply = await client.mode(mode).fetch(abc())
    assert reply.values == ABC
    assert reply.node == node.node.label
    assert (node.sizes, counted.most) == (sizes, at_once)
    assert not any(asked.is_batch for asked in node.asked if len(asked.calls) == 1)


@pytest.mark.parametrize(("mode", "requests"), [("batch", 5), ("coalesced", 1)])
async def test_only_coalesced_items_ride_together(
    client: RpcClient, node: ScriptedNode, mode: str, requests: int
) -> None:
    asks = client.mode(mode)
    await asyncio.gather(*(asks.fetch([echo(f"{n}a"), echo(f"{n}b")]) for n in range(5)))
    assert len(node.asked) == requests


async def test_items_of_all_modes_at_once_keep_to_their_own(
    client: RpcClient, node: ScriptedNode
) -> None:
    asked = [(mode, f"{mode} {n}") for n in range(20) for mode in MODES]
    replies = await asyncio.gather(
        *(client.mode(mode).fetch([echo(f"{name} 1"), echo(f"{name} 2")]) for mode, name in asked)
    )
    assert [reply.values for reply in replies] == [(f"{n} 1", f"{n} 2") for _, n in asked]
    together = [{call["params"][0].split()[0] for call in one.calls} for one in node.asked]
    assert all(len(modes) == 1 for modes in together)
    of_mode = {mode: [one for one in node.asked if mode in one.body.decode()] for mode in MODES}
    assert [len(of_mode[mode]) for mode in MODES[:3]] == [40, 40, 20]
    assert len(of_mode["coalesced"]) <= 3
    told = client.snapshot()
    assert (told["in_flight"], told["waiting"], told["calls"]) == (0, 0, 160)


async def test_parallel_requests_keep_to_the_sockets_there_are(node: ScriptedNode) -> None:
    counted = Counted(node)
    async with client_of(node, max_connections=4) as client:
        asks = client.mode("parallel")
        calls = [[echo(f"{n} {m}") for m in range(6)] for n in range(3)]
        replies = await asyncio.gather(*map(asks.fetch, calls))
    assert [len(reply.values) for reply in replies] == [6, 6, 6]
    assert counted.most == 4
    assert node.connections == 4


@pytest.mark.parametrize("mode", SINGLE)
async def test_calls_asked_by_themselves_keep_to_the_limit_of_calls(
    node: ScriptedNode, mode: str
) -> None:
    counted = Counted(node)
    async with client_of(node, max_in_flight=2) as client:
        asks = client.mode(mode)
        await asyncio.gather(*(asks.fetch([echo(f"{n}a"), echo(f"{n}b")]) for n in range(6)))
    assert counted.most == 2


async def test_an_unknown_mode_is_refused(client: RpcClient) -> None:
    with pytest.raises(ValueError, match=r"fetch_mode: must be one of sequential, .*'eager'"):
        client.mode("eager")


@pytest.mark.parametrize("mode", MODES)
async def test_a_fetch_whose_node_fails_halfway_is_asked_of_another_as_a_whole(
    node: ScriptedNode, other: ScriptedNode, mode: str
) -> None:
    async def fails_c(asked: Asked) -> None:
        if b'"c"' in asked.body:
            asked.send(b"", status=502)
        else:
            asked.answer()

    node.default = fails_c
    async with client_of(node, other) as client:
        reply = await client.mode(mode).fetch(abc())
        assert client.snapshot()["in_flight"] == 0
    assert (reply.values, reply.node) == (ABC, other.node.label)
    assert sum(other.sizes) == 3  # nothing of what the first said is in it


@pytest.mark.parametrize("mode", MODES)
async def test_a_refused_call_is_told_as_such(
    client: RpcClient, node: ScriptedNode, mode: str
) -> None:
    async def refuses_b(asked: Asked) -> None:
        answers = [
            refusal(call, -32602, "no b") if call["params"] == ["b"] else answered
            for call, answered in zip(asked.calls, asked.answers(), strict=True)
        ]
        asked.send_json(answers if asked.is_batch else answers[0])

    node.default = refuses_b
    with pytest.raises(CallRefused, match="no b"):
        await client.mode(mode).fetch(abc())


@pytest.mark.parametrize("mode", MODES)
async def test_who_leaves_takes_his_requests_with_him(
    client: RpcClient, node: ScriptedNode, mode: str
) -> None:
    node.default = never
    asking = asyncio.ensure_future(client.mode(mode).fetch(abc()))
    await node.was_asked(3 if mode == "parallel" else 1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await until(lambda: client.snapshot()["in_flight"] == 0)
    pool = client.pools()[0]
    assert (pool.used, pool.idle, pool.waiting) == (0, 0, 0)
    assert client.snapshot()["nodes"][node.node.label]["failures"] == {}


@pytest.mark.parametrize("mode", MODES)
async def test_a_node_that_had_a_request_all_along_is_to_blame(
    client: RpcClient, node: ScriptedNode, mode: str, run_out: RunOut
) -> None:
    node.default = never
    requests = 3 if mode == "parallel" else 1
    with pytest.raises(NodeTimeout) as caught:
        await run_out(
            client.mode(mode).fetch(abc(), timeout_s=LONG_S), lambda: len(node.asked) == requests
        )
    assert caught.value.node == node.node.label
    assert client.snapshot()["nodes"][node.node.label]["failures"] == {"node_timeout": 1}
    await until(lambda: client.snapshot()["in_flight"] == 0)


async def test_a_node_that_answers_each_in_time_is_not_to_blame_for_their_number(
    node: ScriptedNode, lapse: Callable[[float], None]
) -> None:
    async def slowly(asked: Asked) -> None:
        lapse(0.6)
        asked.answer()

    node.default = slowly
    breakers = Breakers({"": BreakerConfig(consecutive_failures=1)})
    async with client_of(node, breakers=breakers) as client:
        with pytest.raises(DeadlineExceeded) as caught:
            await client.mode("sequential").fetch([echo(str(n)) for n in range(9)], timeout_s=3)
        assert not caught.value.trips_breaker
        await until(lambda: client.snapshot()["in_flight"] == 0)
        assert client.snapshot()["nodes"][node.node.label]["failures"] == {}
        assert breakers.get(breaker_name(node.node, "lookup")).state == "closed"


async def test_a_breaker_measures_one_request_and_not_their_sum(
    node: ScriptedNode, lapse: Callable[[float], None]
) -> None:
    async def slowly(asked: Asked) -> None:
        lapse(0.5)
        asked.answer()

    node.default = slowly
    config = BreakerConfig(slow_s=2, slow_rate=0.01, min_calls=1)
    breakers = Breakers({"": config})
    async with client_of(node, breakers=breakers) as client:
        await client.mode("sequential").fetch([echo(str(n)) for n in range(6)])
        report = breakers.get(breaker_name(node.node, "lookup")).report()
    assert (report.state, report.calls, report.slow) == ("closed", 1, 0)


@pytest.mark.parametrize("mode", SINGLE)
async def test_one_failed_request_is_one_failure_of_the_node(node: ScriptedNode, mode: str) -> None:
    async def broken(asked: Asked) -> None:
        asked.send(b"", status=502)

    node.default = broken
    breakers = Breakers({"": BreakerConfig()})
    async with client_of(node, breakers=breakers, max_attempts=1) as client:
        with pytest.raises(HttpStatus):
            await client.mode(mode).fetch(abc())
        report = breakers.get(breaker_name(node.node, "lookup")).report()
        assert client.snapshot()["in_flight"] == 0
    assert (report.calls, report.failures) == (1, 1)


@pytest.mark.parametrize("mode", MODES)
async def test_nothing_more_goes_out_once_an_operator_holds_the_breaker_open(
    node: ScriptedNode, mode: str, run_out: RunOut
) -> None:
    breakers = Breakers({"": BreakerConfig()})

    async def force(asked: Asked) -> None:
        breakers.apply(breaker_name(node.node, "lookup"), Override(mode="forced_open"))
        asked.answer()

    node.default = force
    async with client_of(node, breakers=breakers, max_connections=1) as client:
        asking = client.mode(mode).fetch(abc(), timeout_s=LONG_S)
        if mode in SINGLE:
            with pytest.raises(BreakerOpen):
                await run_out(asking, lambda: node.asked and client.snapshot()["waiting"])
        else:
            assert (await asking).values == ABC
    assert len(node.asked) == 1


@pytest.mark.parametrize("mode", MODES)
async def test_no_answer_comes_over_a_connection_whose_chain_was_not_asked(
    node: ScriptedNode, mode: str
) -> None:
    async with client_of(node, chain_id=1) as client:
        for n in range(3):
            await client.mode(mode).fetch([echo(f"{n} {name}") for name in ABC])
        assert client.snapshot()["in_flight"] == 0
    asked = [call["method"] for one in node.asked for call in one.calls]
    assert asked.count("eth_chainId") == node.connections
    assert asked.count("eth_echo") == 9


@pytest.mark.parametrize("mode", MODES)
async def test_a_node_of_another_chain_is_believed_in_nothing(
    node: ScriptedNode, mode: str
) -> None:
    async with client_of(node, chain_id=5) as client:
        with pytest.raises(WrongChain):
            await client.mode(mode).fetch(abc())


@pytest.mark.parametrize("mode", MODES)
async def test_the_fleet_s_rate_counts_every_call_and_the_chain_s_question(
    node: ScriptedNode, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    spent: list[int] = []
    monkeypatch.setattr(RateLease, "spend", lambda _lease, calls: spent.append(calls))
    async with client_of(node, rate_limit=1000, chain_id=1) as client:
        for n in range(2):
            await client.mode(mode).fetch([echo(f"{n} {name}") for name in ABC])
    assert sum(spent) == sum(node.sizes) == 6 + node.connections


@pytest.mark.parametrize("mode", MODES)
async def test_closing_tells_whoever_waits(node: ScriptedNode, mode: str) -> None:
    node.default = never
    async with client_of(node) as client:
        asking = asyncio.ensure_future(client.mode(mode).fetch(abc()))
        await node.was_asked()
    with pytest.raises(ClientClosed):
        await asking


async def test_a_hedge_waits_for_as_many_requests_as_there_are_to_be(
    node: ScriptedNode, other: ScriptedNode, lapse: Callable[[float], None]
) -> None:
    async def slowly(asked: Asked) -> None:
        lapse(0.02)
        asked.answer()

    node.default = slowly
    async with client_of(node, other, hedge_quantile=0.9) as client:
        for n in range(25):
            await client.fetch([echo(f"measured {n}")])
        client.set_hedging(0.9)
        client._engine.dispatcher.lanes[0].record.hedge_after_s = 0.04  # type: ignore[union-attr]
        assert (await client.mode("sequential").fetch(abc())).values == ABC
        assert client.snapshot()["hedged"] == 0
        node.default = never
        assert (await client.mode("sequential").fetch([echo("x"), echo("y")])).values == ("x", "y")
        assert client.snapshot()["hedges_won"] == 1


async def test_what_is_asked_after_a_parting_shares_nothing_though_requests_still_go_out(
    client: RpcClient, node: ScriptedNode
) -> None:
    """The first of a sequence may have been answered before the parting, whatever comes later."""
    gate = asyncio.Event()

    async def late(asked: Asked) -> None:
        await gate.wait()
        asked.answer()

    node.script = [late]
    before = asyncio.ensure_future(client.mode("sequential").fetch(abc()))
    await node.was_asked()
    client.part()
    gate.set()
    await node.was_asked(2)
    assert (await client.fetch(abc())).values == (await before).values == ABC
    assert client.snapshot()["shared"] == 0
