"""A breaker a node and class of methods: what it lets through, and what becomes of the rest."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.rpc.conftest import RunOut
from tests.rpc.scripted import LONG_S, Asked, ScriptedNode, client_of, echo, never, until, well
from validation.resilience import BreakerConfig, Breakers, Override
from validation.rpc import (
    BreakerOpen,
    DeadlineExceeded,
    HttpStatus,
    NodeUnreachable,
    ProbeTurns,
    RpcClient,
    RpcError,
    breaker_name,
)

QUIET = ProbeTurns(every_s=3600)
"""No background probe comes within a test: calls alone find out."""
FORCED_OPEN = Override(mode="forced_open", mode_for_s=900, revision=1)


def breakers_of(**config: Any) -> Breakers:
    return Breakers({"": BreakerConfig(**{"jitter": 0, "consecutive_failures": 2} | config)})


async def broken(asked: Asked) -> None:
    asked.send(b"", status=502)


def state(breakers: Breakers, node: ScriptedNode, kind: Any = "lookup") -> str:
    return breakers.get(breaker_name(node.node, kind)).state


def force(breakers: Breakers, node: ScriptedNode, kind: Any = "lookup") -> None:
    breakers.apply(breaker_name(node.node, kind), FORCED_OPEN)


@pytest.fixture
def breakers() -> Breakers:
    return breakers_of()


@pytest.fixture
async def client(node: ScriptedNode, breakers: Breakers) -> AsyncIterator[RpcClient]:
    """One node, patient with nothing: each fetch is asked once."""
    async with client_of(node, breakers=breakers, turns=QUIET, retry_burst=0, retry_ratio=0) as one:
        yield one


def waits_for(breakers: Breakers, node: ScriptedNode, client: RpcClient) -> Callable[[], bool]:
    """Whether something waits for the breaker to let it through."""
    return lambda: state(breakers, node) == "open" and client.snapshot()["waiting"] > 0


async def trip(
    client: RpcClient, node: ScriptedNode, breakers: Breakers, run_out: RunOut, failures: int = 2
) -> None:
    node.script = [broken] * failures
    for n in range(failures - 1):
        with pytest.raises(HttpStatus):
            await client.fetch([echo(f"trips {n}")])
    # The last fails as its breaker opens: it waits, like every other, and here in vain.
    with pytest.raises(BreakerOpen):
        await run_out(
            client.fetch([echo("trips")], timeout_s=LONG_S), waits_for(breakers, node, client)
        )


async def test_failures_open_the_breaker_and_calls_wait_instead_of_burning(
    client: RpcClient, node: ScriptedNode, breakers: Breakers, run_out: RunOut
) -> None:
    await trip(client, node, breakers, run_out)
    assert state(breakers, node) == "open"
    before = client.snapshot()["retries"]
    with pytest.raises(BreakerOpen) as caught:
        await client.fetch([echo("waits")], timeout_s=0.1)
    error = caught.value
    assert (error.reason, error.retryable, error.trips_breaker) == ("breaker_open", True, False)
    assert isinstance(error.__cause__, HttpStatus)
    assert "is open" in str(error)
    assert "HTTP 502" in str(error)
    assert 0 < (error.retry_after_s or 0) <= 5
    assert len(node.asked) == 2
    assert client.snapshot()["retries"] == before
    assert client.snapshot()["waiting"] == 0


async def test_calls_that_waited_are_answered_once_the_breaker_lets_them(
    node: ScriptedNode,
) -> None:
    breakers = breakers_of(open_s=0.1, consecutive_failures=1)
    node.script = [broken]
    async with client_of(
        node, breakers=breakers, turns=QUIET, retry_burst=0, retry_ratio=0
    ) as client:
        replies = await asyncio.gather(*(client.fetch([echo(str(n))]) for n in range(40)))
    assert [reply.values for reply in replies] == [(str(n),) for n in range(40)]
    # All failed together, two probed with a call each, then the rest rode together.
    assert node.sizes == [40, 1, 1, 38]
    assert state(breakers, node) == "closed"


async def test_half_open_admits_its_probes_only(node: ScriptedNode) -> None:
    """Two probes that hang hold back everyone else, whatever is queued."""
    breakers = breakers_of(open_s=0.1, consecutive_failures=1)
    node.script = [broken]
    node.default = never
    async with client_of(
        node, breakers=breakers, turns=QUIET, retry_burst=0, retry_ratio=0, call_timeout_s=30
    ) as client:
        tasks = [asyncio.ensure_future(client.fetch([echo(str(n))])) for n in range(60)]
        await node.was_asked(3)
        late = await asyncio.gather(
            *(client.fetch([echo(f"late {n}")], timeout_s=0.3) for n in range(5)),
            return_exceptions=True,
        )
        assert [type(error) for error in late] == [BreakerOpen] * 5
        assert node.sizes == [60, 1, 1]
        assert client.snapshot()["nodes"][node.node.label]["in_flight"] == 2
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_cancelled_probe_gives_its_place_back(node: ScriptedNode, run_out: RunOut) -> None:
    breakers = breakers_of(open_s=0.5, consecutive_failures=1, half_open_calls=1)
    async with client_of(
        node, breakers=breakers, turns=QUIET, retry_burst=0, retry_ratio=0
    ) as client:
        await trip(client, node, breakers, run_out, failures=1)
        node.script = [never]
        probe = asyncio.ensure_future(client.fetch([echo("probes")]))
        await node.was_asked(2)
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        assert (await client.fetch([echo("next")])).values == ("next",)


async def test_forced_open_in_the_middle_of_a_run_lets_nothing_through(
    node: ScriptedNode, breakers: Breakers, lapse: Callable[[float], None]
) -> None:
    gate = asyncio.Event()

    async def late(asked: Asked) -> None:
        await gate.wait()
        asked.answer()

    node.default = late
    async with client_of(
        node, breakers=breakers, turns=QUIET, batch_size=10, max_in_flight=20
    ) as client:
        run = [
            asyncio.ensure_future(client.fetch([echo(str(n))], timeout_s=LONG_S)) for n in range(90)
        ]
        await node.was_asked(2)
        force(breakers, node)
        asked = len(node.asked)
        more = [asyncio.ensure_future(client.fetch([echo("new")], timeout_s=LONG_S))]
        gate.set()  # what was out comes back, and makes room that must not be used
        await until(lambda: sum(one.done() for one in run) >= 20)
        assert client.snapshot()["in_flight"] == 0
        lapse(LONG_S)
        found = await asyncio.gather(*run, *more, return_exceptions=True)
        assert len(node.asked) == asked == 2
    answered = [reply for reply in found if not isinstance(reply, BaseException)]
    refused = [error for error in found if isinstance(error, BreakerOpen)]
    assert (len(answered), len(refused)) == (20, 71)
    assert "held open by an operator" in str(refused[0])


async def test_forced_open_while_it_dials_sends_nothing(
    node: ScriptedNode, breakers: Breakers, lapse: Callable[[float], None]
) -> None:
    """The batch was let out before the override, and its connection was made after it."""
    async with client_of(node, breakers=breakers, turns=QUIET) as client:
        task = asyncio.ensure_future(client.fetch([echo("x")], timeout_s=LONG_S))
        await until(lambda: client.snapshot()["in_flight"])
        force(breakers, node)
        await until(lambda: client.snapshot()["waiting"])
        lapse(LONG_S)
        with pytest.raises(BreakerOpen):
            await task
        assert node.asked == []
        told = client.snapshot()["nodes"][node.node.label]
        assert (told["requests"], told["batches"], told["calls"]) == (0, 0, 0)
        assert told["in_flight"] == 0


async def test_what_waited_for_a_forced_open_breaker_goes_on_when_it_ends(
    node: ScriptedNode, breakers: Breakers
) -> None:
    async with client_of(node, breakers=breakers, turns=QUIET) as client:
        name = breaker_name(node.node, "lookup")
        breakers.apply(name, Override(mode="forced_open", mode_for_s=0.15, revision=1))
        replies = await asyncio.gather(*(client.fetch([echo(str(n))]) for n in range(20)))
    assert len(replies) == 20
    assert node.sizes == [20]


async def test_no_probe_goes_to_a_node_that_is_forced_open(
    node: ScriptedNode, run_out: RunOut
) -> None:
    breakers = breakers_of(consecutive_failures=1)
    async with client_of(node, breakers=breakers, turns=ProbeTurns(every_s=0.02)) as client:
        await node.stop()
        with pytest.raises(BreakerOpen):
            await run_out(
                client.fetch([echo("x")], timeout_s=LONG_S), waits_for(breakers, node, client)
            )
        force(breakers, node)
        await node.start()
        with pytest.raises(BreakerOpen):
            await client.fetch([echo("x")], timeout_s=0.3)
        assert node.asked == []


async def test_calls_go_to_the_node_that_admits(
    node: ScriptedNode, other: ScriptedNode, breakers: Breakers
) -> None:
    force(breakers, node)
    async with client_of(node, other, breakers=breakers, turns=QUIET) as client:
        replies = await asyncio.gather(*(client.fetch([echo(str(n))]) for n in range(50)))
    assert {reply.node for reply in replies} == {other.node.label}
    assert (len(node.asked), other.sizes) == (0, [50])


async def test_calls_that_wait_move_to_the_first_node_that_admits(
    node: ScriptedNode, other: ScriptedNode, breakers: Breakers
) -> None:
    force(breakers, node)
    force(breakers, other)
    async with client_of(node, other, breakers=breakers, turns=QUIET) as client:
        tasks = [asyncio.ensure_future(client.fetch([echo(str(n))])) for n in range(30)]
        await asyncio.sleep(0)
        assert client.snapshot()["waiting"] == 30
        breakers.apply(breaker_name(other.node, "lookup"), None)
        replies = await asyncio.gather(*tasks)
    assert {reply.node for reply in replies} == {other.node.label}
    assert not node.asked


async def test_each_class_of_methods_breaks_by_itself(
    node: ScriptedNode, breakers: Breakers, run_out: RunOut
) -> None:
    async def no_blocks(asked: Asked) -> None:
        if any(call["method"].startswith("eth_getBlock") for call in asked.calls):
            asked.send(b"", status=503)
        else:
            asked.answer()

    node.default = no_blocks
    async with client_of(
        node, breakers=breakers, turns=QUIET, retry_burst=0, retry_ratio=0
    ) as client:
        with pytest.raises(HttpStatus):
            await client.fetch([echo("0", "eth_getBlockByNumber")])
        with pytest.raises(BreakerOpen):
            await run_out(
                client.fetch([echo("1", "eth_getBlockByNumber")], timeout_s=LONG_S),
                lambda: state(breakers, node, "block") == "open" and client.snapshot()["waiting"],
            )
        assert (state(breakers, node), state(breakers, node, "block")) == ("closed", "open")
        assert (await client.fetch([echo("x", "eth_getBalance")])).values == ("x",)
        with pytest.raises(BreakerOpen):
            # As heavy as its heaviest call.
            await run_out(
                client.fetch([echo("a"), echo("b", "eth_getProof")], timeout_s=LONG_S),
                lambda: client.snapshot()["waiting"],
            )


async def test_one_batch_carries_one_class(node: ScriptedNode, breakers: Breakers) -> None:
    async with client_of(node, breakers=breakers) as client:
        await asyncio.gather(
            *(client.fetch([echo(str(n), "eth_getBalance")]) for n in range(6)),
            *(client.fetch([echo(str(n), "eth_getBlockByHash")]) for n in range(4)),
        )
    methods = [{call["method"] for call in asked.calls} for asked in node.asked]
    assert sorted(map(sorted, methods)) == [["eth_getBalance"], ["eth_getBlockByHash"]]
    assert sorted(node.sizes) == [4, 6]


async def test_a_node_that_refuses_calls_politely_trips_nothing(
    client: RpcClient, node: ScriptedNode, breakers: Breakers
) -> None:
    async def refused(asked: Asked) -> None:
        call = asked.calls[0]
        error = {"code": -32602, "message": "bad params"}
        asked.send_json({"jsonrpc": "2.0", "id": call["id"], "error": error})

    async def limited(asked: Asked) -> None:
        asked.send(b"", status=429)

    for trouble in (refused, limited):
        node.default = trouble
        for n in range(4):
            with pytest.raises(RpcError):
                await client.fetch([echo(f"{trouble.__name__} {n}")])
    assert state(breakers, node) == "closed"


async def test_a_batch_in_which_every_call_breaks_the_node_is_a_failure(
    client: RpcClient, node: ScriptedNode, breakers: Breakers, run_out: RunOut
) -> None:
    async def internal(asked: Asked) -> None:
        told = [
            {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32603, "message": "panic"}}
            for call in asked.calls
        ]
        asked.send_json(told if asked.is_batch else told[0])

    node.default = internal
    with pytest.raises(RpcError):
        await client.fetch([echo("0a"), echo("0b")])
    with pytest.raises(RpcError):
        await run_out(
            client.fetch([echo("1a"), echo("1b")], timeout_s=LONG_S),
            waits_for(breakers, node, client),
        )
    assert state(breakers, node) == "open"


async def test_a_slow_node_opens_its_breaker(node: ScriptedNode) -> None:
    async def slowly(asked: Asked) -> None:
        await asyncio.sleep(0.03)
        asked.answer()

    breakers = breakers_of(slow_s=0.02, slow_rate=0.5, min_calls=3)
    node.default = slowly
    async with client_of(node, breakers=breakers, turns=QUIET) as client:
        for n in range(3):
            await client.fetch([echo(str(n))])
        assert state(breakers, node) == "open"
        assert breakers.get(breaker_name(node.node, "lookup")).report().slow == 3


async def test_a_flapping_node_costs_little_and_loses_nothing(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    """Every third request breaks; the other node takes what the first fails."""
    turn = 0

    async def flapping(asked: Asked) -> None:
        nonlocal turn
        turn += 1
        await (broken if turn % 3 else well)(asked)

    node.default = flapping
    breakers = breakers_of(open_s=0.1, consecutive_failures=2)
    async with client_of(
        node, other, breakers=breakers, turns=QUIET, batch_size=10, max_in_flight=30
    ) as client:
        found = []
        for start in range(0, 1000, 100):
            found += await asyncio.gather(
                *(client.fetch([echo(str(n))]) for n in range(start, start + 100))
            )
    assert [reply.values for reply in found] == [(str(n),) for n in range(1000)]
    assert sum(node.sizes) + sum(other.sizes) <= 1100


async def test_a_wait_that_a_caller_leaves_is_forgotten(
    node: ScriptedNode, breakers: Breakers
) -> None:
    force(breakers, node)
    async with client_of(node, breakers=breakers, turns=QUIET) as client:
        tasks = [asyncio.ensure_future(client.fetch([echo(str(n))])) for n in range(20)]
        await asyncio.sleep(0)
        for task in tasks[:19]:
            task.cancel()
        await asyncio.gather(*tasks[:19], return_exceptions=True)
        assert client.snapshot()["waiting"] == 1
        breakers.apply(breaker_name(node.node, "lookup"), None)
        assert (await tasks[19]).values == ("19",)
    assert node.sizes == [1]


async def test_closing_ends_what_waits_for_a_breaker(
    node: ScriptedNode, breakers: Breakers
) -> None:
    force(breakers, node)
    async with client_of(node, breakers=breakers, turns=QUIET) as client:
        tasks = [asyncio.ensure_future(client.fetch([echo(str(n))])) for n in range(5)]
        await asyncio.sleep(0)
        await client.aclose()
        found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [getattr(error, "reason", None) for error in found] == ["client_closed"] * 5
    assert not node.asked


async def test_a_wait_for_room_is_no_open_breaker(node: ScriptedNode, breakers: Breakers) -> None:
    node.default = never
    async with client_of(node, breakers=breakers, max_in_flight=1) as client:
        first = asyncio.ensure_future(client.fetch([echo("x")]))
        await node.was_asked()
        with pytest.raises(DeadlineExceeded):
            await client.fetch([echo("y")], timeout_s=0.05)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def test_a_deadline_that_a_node_let_pass_counts_against_it(
    node: ScriptedNode, breakers: Breakers, run_out: RunOut
) -> None:
    node.default = never
    async with client_of(node, breakers=breakers, turns=QUIET) as client:
        for asked in (1, 2):
            with pytest.raises(RpcError):
                await run_out(
                    client.fetch([echo(str(asked))], timeout_s=LONG_S),
                    lambda: len(node.asked) == asked,  # noqa: B023 - called within this turn
                )
        await until(lambda: not client.snapshot()["in_flight"])
    assert state(breakers, node) == "open"


async def test_a_dead_node_is_told_from_a_slow_start(
    node: ScriptedNode, breakers: Breakers, run_out: RunOut
) -> None:
    await node.stop()
    async with client_of(
        node, breakers=breakers, turns=QUIET, retry_burst=0, retry_ratio=0
    ) as client:
        with pytest.raises(NodeUnreachable):
            await client.fetch([echo("1")])
        with pytest.raises(BreakerOpen) as caught:
            await run_out(
                client.fetch([echo("2")], timeout_s=LONG_S), waits_for(breakers, node, client)
            )
    assert isinstance(caught.value.__cause__, NodeUnreachable)
