"""The total time of a fetch is kept wherever it waits, and no timer outlives it."""

import asyncio
import time

import pytest

from tests.rpc.conftest import RunOut
from tests.rpc.scripted import LONG_S, Asked, ScriptedNode, client_of, echo, never, until
from validation.rpc import DeadlineExceeded, NodeTimeout, RpcError


async def test_a_fetch_ends_when_its_time_is_over(node: ScriptedNode) -> None:
    """The best of three: a crowded machine may hold up one of them."""
    node.default = never
    took = []
    async with client_of(node) as client:
        for n in range(3):
            started = time.monotonic()
            with pytest.raises(RpcError):
                await client.fetch([echo(str(n))], timeout_s=0.1)
            took.append(time.monotonic() - started)
    assert 0.1 <= min(took) < 0.6


async def test_a_node_that_had_the_calls_all_along_is_to_blame(
    node: ScriptedNode, run_out: RunOut
) -> None:
    node.default = never
    async with client_of(node) as client:
        with pytest.raises(NodeTimeout) as caught:
            await run_out(client.fetch([echo("x")], timeout_s=LONG_S), lambda: node.asked)
        assert caught.value.trips_breaker
        assert client.snapshot()["nodes"][node.node.label]["failures"] == {"node_timeout": 1}
        await asyncio.sleep(0)
        assert client.snapshot()["in_flight"] == 0


async def test_a_wait_for_ones_turn_blames_nobody(node: ScriptedNode) -> None:
    node.default = never
    async with client_of(node, max_in_flight=1) as client:
        first = asyncio.ensure_future(client.fetch([echo("x")]))
        await node.was_asked()
        with pytest.raises(DeadlineExceeded) as caught:
            await client.fetch([echo("y")], timeout_s=0.05)
        assert not caught.value.trips_breaker
        assert client.snapshot()["waiting"] == 0
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def test_time_that_runs_out_between_attempts_tells_the_last_failure(
    node: ScriptedNode, run_out: RunOut
) -> None:
    async def fail(asked: Asked) -> None:
        asked.send(b"", status=503)

    node.default = fail
    async with client_of(node, backoff_base_s=30, backoff_cap_s=30) as client:
        with pytest.raises(RpcError) as caught:
            await run_out(
                client.fetch([echo("x")], timeout_s=LONG_S),
                lambda: node.asked and not client.snapshot()["in_flight"],
            )
    assert "HTTP 503" in str(caught.value)


async def test_each_waiter_has_its_own_deadline(node: ScriptedNode, run_out: RunOut) -> None:
    gate = asyncio.Event()

    async def late(asked: Asked) -> None:
        await gate.wait()
        asked.answer()

    node.default = late
    async with client_of(node, call_timeout_s=60) as client:
        patient = asyncio.ensure_future(client.fetch([echo("x")], timeout_s=60))
        await node.was_asked()
        with pytest.raises(NodeTimeout):
            await run_out(
                client.fetch([echo("x")], timeout_s=LONG_S), lambda: client.snapshot()["shared"]
            )
        gate.set()
        assert (await patient).values == ("x",)
    assert node.sizes == [1]


async def test_no_time_at_all_is_refused_before_anything_is_sent(node: ScriptedNode) -> None:
    async with client_of(node) as client:
        for timeout_s in (0, -1):
            with pytest.raises(DeadlineExceeded):
                await client.fetch([echo("x")], timeout_s=timeout_s)
    assert not node.asked


class TimedLoop(asyncio.SelectorEventLoop):
    """Counts the timers that are neither run nor cancelled; a test may move its clock on."""

    ahead_s = 0.0

    def time(self) -> float:
        return super().time() + self.ahead_s

    def timers(self) -> int:
        scheduled = self._scheduled  # type: ignore[attr-defined]  # the loop's own heap
        return sum(not handle.cancelled() for handle in scheduled)


def test_no_timer_is_left_behind() -> None:
    async def scenario() -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, TimedLoop)
        node = await ScriptedNode().start()

        async def fail(asked: Asked) -> None:
            asked.send(b"", status=503)

        async with client_of(node, batch_wait_s=0.001) as client:
            await asyncio.gather(*(client.fetch([echo(str(n))]) for n in range(300)))
            node.script = [fail]
            await client.fetch([echo("retried")])
            node.script = [never]
            asked = len(node.asked)
            late = asyncio.ensure_future(client.fetch([echo("late")], timeout_s=LONG_S))
            await until(lambda: len(node.asked) > asked)
            loop.ahead_s = LONG_S
            with pytest.raises(NodeTimeout):
                await late
            node.script = [never]
            task = asyncio.ensure_future(client.fetch([echo("left")]))
            await node.was_asked(len(node.asked) + 1)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.sleep(0)
            left = loop.timers()
        await node.stop()
        return left

    with asyncio.Runner(loop_factory=TimedLoop) as runner:
        assert runner.run(scenario()) == 0
