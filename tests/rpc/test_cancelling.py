"""Whenever a fetch is given up, what its batch had taken is free again: calls, request, permit."""

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tests.resilience.fakes import NodeFault
from tests.rpc.fakes import NODE, FakeTransport
from tests.rpc.scripted import echo
from validation.resilience import BreakerConfig, Breakers, State
from validation.rpc import (
    FORMS,
    ClientClosed,
    NodeUrl,
    Portal,
    RpcClient,
    RpcConfig,
    breaker_name,
)
from validation.rpc.connection import Response
from validation.rpc.seams import Gate

OTHER = NodeUrl.parse("http://other.example:8545")
TICKS = range(12)


def respond(body: bytes) -> bytes:
    asked = msgspec.json.decode(body)
    return msgspec.json.encode(
        [{"jsonrpc": "2.0", "id": call["id"], "result": call["params"][0]} for call in asked]
        if isinstance(asked, list)
        else {"jsonrpc": "2.0", "id": asked["id"], "result": asked["params"][0]}
    )


class Slow(FakeTransport):
    """Takes a few ticks before bytes go out, and a few after."""

    def __init__(self) -> None:
        super().__init__(respond)

    async def post(self, node: NodeUrl, body: bytes, gate: Gate) -> Response:
        await ticks(2)
        response = await super().post(node, body, gate)
        await ticks(3)
        return response


async def ticks(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def client_of(*nodes: NodeUrl, breakers: Breakers | None = None, **config: Any) -> RpcClient:
    """One request at a time: a place that is not given back shows in the next fetch."""
    made = RpcConfig(
        nodes=nodes, chain_id=None, max_connections=1, batch_wait_s=0, total_timeout_s=5, **config
    )
    return RpcClient(made, transport=Slow(), breakers=breakers)


async def give_up(
    client: RpcClient, name: str, *, after_ticks: int, mode: str = "coalesced"
) -> None:
    asking = client.mode(mode).fetch([echo(name), echo(f"{name}, too")])
    task = asyncio.ensure_future(asking)
    await ticks(after_ticks)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await ticks(5)


@pytest.fixture
def portal() -> Iterator[Portal]:
    portal = Portal()
    portal.start()
    yield portal
    portal.stop()


async def everything_is_back_at_every_tick(client: RpcClient, mode: str = "coalesced") -> None:
    for n in TICKS if mode == "coalesced" else range(24):
        await give_up(client, f"given up {n}", after_ticks=n, mode=mode)
        told = client.snapshot()
        assert (n, told["in_flight"], told["waiting"]) == (n, 0, 0)
        assert (await client.fetch([echo(f"asked {n}")])).values == (f"asked {n}",)


def test_calls_and_requests_are_given_back_at_every_tick(portal: Portal) -> None:
    async def run() -> None:
        client = client_of(NODE)
        await everything_is_back_at_every_tick(client)
        await client.aclose()

    portal.run(run(), 30)


@pytest.mark.parametrize("mode", FORMS)
@pytest.mark.parametrize("connections", [1, 2])
def test_so_they_are_in_every_mode(portal: Portal, mode: str, connections: int) -> None:
    async def run() -> None:
        client = client_of(NODE)
        client.set_pool_size(connections)
        await everything_is_back_at_every_tick(client, mode)
        await client.aclose()

    portal.run(run(), 30)


@pytest.mark.parametrize("mode", FORMS)
def test_so_they_are_where_batches_are_hedged(portal: Portal, mode: str) -> None:
    async def run() -> None:
        client = client_of(NODE, OTHER)
        for n in range(60):
            await client.fetch([echo(f"measured {n}")])
        client.set_hedging(0.9)
        await ticks(1)
        await everything_is_back_at_every_tick(client, mode)
        await client.aclose()

    portal.run(run(), 30)


@pytest.mark.parametrize("after_ticks", TICKS)
def test_a_probe_that_is_given_up_leaves_its_place(portal: Portal, after_ticks: int) -> None:
    async def run() -> None:
        config = BreakerConfig(consecutive_failures=1, half_open_calls=1, open_s=3600)
        breakers = Breakers({"": config})
        client = client_of(NODE, breakers=breakers)
        breaker = breakers.get(breaker_name(NODE, "lookup"))
        breaker.settle(breaker.admit(), 0.1, NodeFault())
        breaker.hint_recovered()
        assert breaker.state is State.HALF_OPEN
        await give_up(client, "given up", after_ticks=after_ticks)
        assert breaker.admits()
        assert (await client.fetch([echo("asked")])).values == ("asked",)
        await client.aclose()

    portal.run(run(), 30)


@pytest.mark.parametrize("after_ticks", TICKS)
def test_closing_at_any_tick_tells_whoever_waits(portal: Portal, after_ticks: int) -> None:
    async def run() -> None:
        client = client_of(NODE)
        task = asyncio.ensure_future(client.fetch([echo("x")]))
        await ticks(after_ticks)
        await client.aclose()
        async with asyncio.timeout(3):
            await asyncio.wait([task])
        error = task.exception()
        assert isinstance(error, ClientClosed) if error else task.result().values == ("x",)
        assert client.snapshot()["in_flight"] == 0

    portal.run(run(), 30)
