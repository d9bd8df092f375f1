"""Calls of one tick share a request, within every bound."""

import asyncio

import pytest

from tests.rpc.scripted import Asked, ScriptedNode, as_text, client_of, echo, never
from validation.rpc import Call, RpcError, Saturated


async def test_fetches_of_one_tick_share_one_batch(node: ScriptedNode) -> None:
    async with client_of(node) as client:
        replies = await asyncio.gather(
            *(client.fetch([echo(f"a{n}"), echo(f"b{n}")]) for n in range(20))
        )
    assert [reply.values for reply in replies] == [(f"a{n}", f"b{n}") for n in range(20)]
    assert node.sizes == [40]


async def test_a_single_call_is_no_batch(node: ScriptedNode) -> None:
    async with client_of(node) as client:
        assert (await client.fetch([echo("x")])).values == ("x",)
    assert not node.asked[0].is_batch


async def test_the_reply_names_the_node_by_its_label(node: ScriptedNode) -> None:
    async with client_of(node) as client:
        assert (await client.fetch([echo("x")])).node == f"127.0.0.1:{node.port}"


async def test_a_batch_is_full_at_its_size_and_never_tears_a_fetch(node: ScriptedNode) -> None:
    async with client_of(node, batch_size=10) as client:
        await asyncio.gather(
            *(client.fetch([echo(f"{n}.{part}") for part in range(3)]) for n in range(10))
        )
    assert sorted(node.sizes) == [3, 9, 9, 9]
    for asked in node.asked:
        values = [call["params"][0] for call in asked.calls]
        assert all(f"{value.split('.')[0]}.{part}" in values for value in values for part in "012")


async def test_a_fetch_larger_than_a_batch_goes_alone_and_whole(node: ScriptedNode) -> None:
    async with client_of(node, batch_size=4, max_in_flight=5) as client:
        large = client.fetch([echo(str(n)) for n in range(9)])
        reply, _ = await asyncio.gather(large, client.fetch([echo("small")]))
    assert reply.values == tuple(str(n) for n in range(9))
    assert sorted(node.sizes) == [1, 9]


class Meter:
    """Counts the calls that are with the node at once."""

    def __init__(self) -> None:
        self.now = self.most = 0

    async def __call__(self, asked: Asked) -> None:
        self.now += len(asked.calls)
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)  # lets the other connections' requests in
        await asyncio.sleep(0)
        self.now -= len(asked.calls)
        asked.answer()


async def test_calls_in_flight_are_bounded(node: ScriptedNode) -> None:
    meter = node.default = Meter()
    async with client_of(node, max_in_flight=12, batch_size=5) as client:
        await asyncio.gather(*(client.fetch([echo(str(n))]) for n in range(200)))
        assert client.snapshot()["nodes"][node.node.label]["in_flight_max"] <= 12
    assert 0 < meter.most <= 12


async def test_the_chain_question_counts_among_the_calls_in_flight(node: ScriptedNode) -> None:
    meter = node.default = Meter()
    async with client_of(node, max_in_flight=4, batch_size=4, chain_id=1) as client:
        await asyncio.gather(*(client.fetch([echo(str(n))]) for n in range(50)))
    assert 0 < meter.most <= 4


async def test_the_share_of_calls_in_flight_may_change_at_run_time(node: ScriptedNode) -> None:
    async with client_of(node, max_in_flight=1) as client:
        await client.fetch([echo("first")])
        client.set_max_in_flight(50)
        await asyncio.gather(*(client.fetch([echo(str(n))]) for n in range(50)))
        assert node.sizes == [1, 50]
        with pytest.raises(ValueError, match="above 0"):
            client.set_max_in_flight(0)


async def test_requests_are_bounded_by_the_connections(node: ScriptedNode) -> None:
    async with client_of(node, max_connections=3, batch_size=1) as client:
        await asyncio.gather(*(client.fetch([echo(str(n))]) for n in range(30)))
    assert node.connections <= 3


async def test_a_full_queue_refuses_and_blames_nobody(node: ScriptedNode) -> None:
    node.default = never
    async with client_of(node, max_in_flight=1, max_waiting=10) as client:
        waiting = [asyncio.ensure_future(client.fetch([echo(str(n))])) for n in range(10)]
        await asyncio.sleep(0)
        with pytest.raises(Saturated) as caught:
            await client.fetch([echo("too"), echo("many")])
        assert caught.value.retryable
        assert not caught.value.trips_breaker
        for task in waiting:
            task.cancel()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        assert client.snapshot()["waiting"] == 0


async def test_a_busy_node_gets_fewer_and_fuller_batches(node: ScriptedNode) -> None:
    """With two requests out, calls of later ticks wait for company instead of going one by one."""
    node.script = [never, never]
    async with client_of(node, batch_wait_s=0.5, call_timeout_s=30) as client:
        tasks = []
        for n in range(2):
            tasks.append(asyncio.ensure_future(client.fetch([echo(f"busy{n}")])))
            await node.was_asked(n + 1)
        late = []
        for n in range(5):
            late.append(asyncio.ensure_future(client.fetch([echo(f"late{n}")])))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await asyncio.gather(*late)
        assert node.sizes == [1, 1, 5]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_fetch_of_nothing_is_the_callers_mistake(node: ScriptedNode) -> None:
    async with client_of(node) as client:
        with pytest.raises(ValueError, match="at least one"):
            await client.fetch([])


async def test_a_decoder_that_fails_ends_its_own_fetch_only(node: ScriptedNode) -> None:
    def explode(raw: bytes) -> str:
        raise KeyError(raw.decode())

    async with client_of(node) as client:
        bad, good = await asyncio.gather(
            client.fetch([Call("eth_x", ("1",), explode)]),
            client.fetch([Call("eth_y", ("2",), as_text)]),
            return_exceptions=True,
        )
    assert isinstance(bad, RpcError)
    assert bad.reason == "bad_answer"
    assert not isinstance(good, BaseException)
    assert good.values == ("2",)


async def test_closing_fails_what_waits_and_leaves_nothing(node: ScriptedNode) -> None:
    node.default = never
    async with client_of(node, max_in_flight=1) as client:
        tasks = [asyncio.ensure_future(client.fetch([echo(str(n))])) for n in range(3)]
        await node.was_asked()
        await client.aclose()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [getattr(result, "reason", None) for result in results] == ["client_closed"] * 3
        with pytest.raises(RpcError):
            await client.fetch([echo("after")])
