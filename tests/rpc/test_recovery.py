"""A node that was down is found again in the background, by one process of the fleet at a time."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from console.embedded.valkey import Valkey
from tests.rpc.conftest import RunOut
from tests.rpc.scripted import LONG_S, Asked, ScriptedNode, client_of, echo, never, until, well
from validation.resilience import BreakerConfig, Breakers
from validation.rpc import BreakerOpen, ProbeTurns, RpcClient, breaker_name
from validation.rpc.fleet import ValkeyFleet
from validation.rpc.turns import Turn


def breakers_of(**config: Any) -> Breakers:
    """Once open they stay so for ten minutes: only a background probe brings the node back."""
    return Breakers(
        {
            "": BreakerConfig(
                **{"consecutive_failures": 1, "open_s": 600, "open_max_s": 600} | config
            )
        }
    )


async def broken(asked: Asked) -> None:
    asked.send(b"", status=502)


def chain_only(then: Callable[[Asked], None]) -> Any:
    """Tells its chain as ever, and does `then` to everything else."""

    async def handler(asked: Asked) -> None:
        if [call["method"] for call in asked.calls] == ["eth_chainId"]:
            asked.answer()
        else:
            then(asked)

    return handler


def is_open(breakers: Breakers, node: ScriptedNode) -> bool:
    return breakers.get(breaker_name(node.node, "lookup")).state == "open"


async def fail_once(
    client: RpcClient, node: ScriptedNode, breakers: Breakers, run_out: RunOut
) -> None:
    with pytest.raises(BreakerOpen):
        await run_out(
            client.fetch([echo("fails")], timeout_s=LONG_S),
            lambda: is_open(breakers, node) and client.snapshot()["waiting"],
        )


def probes(node: ScriptedNode) -> int:
    return sum(call["method"] == "eth_chainId" for asked in node.asked for call in asked.calls)


async def test_a_node_that_came_back_is_used_within_five_seconds(node: ScriptedNode) -> None:
    """With the real intervals, and a breaker that would stay open for ten minutes."""
    await node.stop()
    async with client_of(node, breakers=breakers_of()) as client:
        with pytest.raises(BreakerOpen):  # in real time, like all else here
            await client.fetch([echo("fails")], timeout_s=1)
        waiting = asyncio.ensure_future(client.fetch([echo("waits")]))
        await asyncio.sleep(0)
        await node.start()
        started = time.monotonic()
        assert (await waiting).values == ("waits",)
        assert time.monotonic() - started < 5


async def test_a_node_that_hangs_is_used_again_soon_after_it_answers(
    node: ScriptedNode, run_out: RunOut
) -> None:
    node.default, breakers = never, breakers_of()
    async with client_of(
        node, breakers=breakers, turns=ProbeTurns(every_s=0.1), call_timeout_s=0.1
    ) as client:
        await fail_once(client, node, breakers, run_out)
        await until(lambda: probes(node) >= 1)
        node.default = well
        assert (await client.fetch([echo("x")])).values == ("x",)


async def test_an_idle_process_finds_out_too(node: ScriptedNode, run_out: RunOut) -> None:
    breakers = breakers_of(half_open_calls=1)
    node.default = chain_only(lambda asked: asked.send(b"", status=502))
    async with client_of(node, breakers=breakers, turns=ProbeTurns(every_s=0.2)) as client:
        await fail_once(client, node, breakers, run_out)
        breaker = breakers.get(breaker_name(node.node, "lookup"))
        await until(lambda: breaker.state == "half_open")
        assert client.snapshot()["waiting"] == 0


async def test_a_node_of_another_chain_does_not_come_back(
    node: ScriptedNode, run_out: RunOut
) -> None:
    breakers = breakers_of()
    node.chain_id = 5
    async with client_of(
        node, breakers=breakers, turns=ProbeTurns(every_s=0.02), chain_id=1, retry_burst=0
    ) as client:
        await asyncio.gather(
            run_out(client.fetch([echo("x")], timeout_s=LONG_S), lambda: is_open(breakers, node)),
            return_exceptions=True,
        )
        await until(lambda: probes(node) >= 4)
        assert breakers.get(breaker_name(node.node, "lookup")).state == "open"
        node.chain_id = 1
        assert (await client.fetch([echo("y")])).values == ("y",)


async def test_a_node_that_tells_its_chain_and_fails_all_else_is_let_in_ever_less(
    node: ScriptedNode,
) -> None:
    def fail(asked: Asked) -> None:
        asked.send(b"", status=500)

    node.default = chain_only(fail)
    async with client_of(
        node, breakers=breakers_of(), turns=ProbeTurns(every_s=0.02), max_attempts=50
    ) as client:
        with pytest.raises(BreakerOpen):
            await client.fetch([echo("x")], timeout_s=2.5)
    assert probes(node) > 20
    real = len(node.asked) - probes(node)
    assert 2 <= real <= 4  # first, at once, and after one second more; then after two, four, …


async def test_the_probing_ends_with_the_outage_and_with_the_client(
    node: ScriptedNode, run_out: RunOut
) -> None:
    breakers = breakers_of()
    async with client_of(node, breakers=breakers, turns=ProbeTurns(every_s=0.02)) as client:
        node.script = [broken]
        assert (await client.fetch([echo("fails, waits, passes")])).values
        await until(lambda: len(asyncio.all_tasks()) <= 2)  # this test, and the node's connection
        await node.stop()
        await fail_once(client, node, breakers, run_out)
    await until(lambda: len(asyncio.all_tasks()) == 1)


async def test_one_process_of_the_fleet_asks_an_interval(
    node: ScriptedNode, valkey: Valkey, run_out: RunOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whom Valkey keeps waiting asks by itself, and on a slow machine it may.
    monkeypatch.setattr("validation.rpc.fleet._TIMEOUT_S", 30)
    node.default = broken
    breakers = [breakers_of() for _ in range(6)]
    links = [ValkeyFleet(valkey.url) for _ in range(6)]
    turns = [ProbeTurns(link, every_s=0.4) for link in links]
    clients = [
        client_of(node, breakers=own, turns=turn) for own, turn in zip(breakers, turns, strict=True)
    ]
    entered = [await one.__aenter__() for one in clients]
    started = time.monotonic()
    for client, own in zip(entered, breakers, strict=True):
        await fail_once(client, node, own, run_out)
    await until(lambda: probes(node) >= 5)
    assert time.monotonic() - started >= 4 * 0.4
    asked = probes(node)
    # What one of them finds out, all of them know within an interval.
    node.default = well
    names = [own.get(breaker_name(node.node, "lookup")) for own in breakers]
    await until(lambda: all(breaker.state == "half_open" for breaker in names))
    assert probes(node) - asked <= 2
    for one, link in zip(clients, links, strict=True):
        await one.__aexit__(None, None, None)
        await link.aclose()


async def test_without_valkey_each_process_asks_by_itself(valkey: Valkey) -> None:
    links = [ValkeyFleet(valkey.url) for _ in range(2)]
    turns, fellow = (ProbeTurns(link, every_s=60) for link in links)
    assert await turns.take("a") is Turn.MINE
    assert await fellow.take("a") is Turn.OTHERS
    assert await fellow.take("b") is Turn.MINE
    await turns.tell_up("a")
    assert await fellow.take("a") is Turn.UP
    valkey.stop()
    assert await turns.take("a") is await fellow.take("a") is Turn.MINE
    await turns.tell_up("a")
    for link in links:
        await link.aclose()
