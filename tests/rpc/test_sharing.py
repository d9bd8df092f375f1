"""Identical calls in flight are asked once."""

import asyncio

import pytest

from tests.rpc.scripted import Asked, ScriptedNode, client_of, echo
from validation.rpc import CallRefused


async def test_four_thousand_callers_are_one_call(node: ScriptedNode) -> None:
    async with client_of(node, max_waiting=10) as client:
        replies = await asyncio.gather(*(client.fetch([echo("same")]) for _ in range(4000)))
        assert client.snapshot()["shared"] == 3999
    assert {reply.values for reply in replies} == {("same",)}
    assert node.sizes == [1]


async def test_a_fetch_joins_a_group_that_carries_all_of_its_calls(node: ScriptedNode) -> None:
    async with client_of(node) as client:
        three, two = await asyncio.gather(
            client.fetch([echo("a"), echo("b"), echo("c")]), client.fetch([echo("c"), echo("a")])
        )
    assert three.values == ("a", "b", "c")
    assert two.values == ("c", "a")
    assert node.sizes == [3]


async def test_overlapping_fetches_share_within_their_batch(node: ScriptedNode) -> None:
    async with client_of(node) as client:
        one, two = await asyncio.gather(
            client.fetch([echo("a"), echo("b")]), client.fetch([echo("b"), echo("c")])
        )
    assert (one.values, two.values) == (("a", "b"), ("b", "c"))
    assert node.sizes == [3]


async def test_the_same_method_with_other_parameters_is_another_call(node: ScriptedNode) -> None:
    async with client_of(node) as client:
        await asyncio.gather(client.fetch([echo("a")]), client.fetch([echo("a", "eth_other")]))
    assert node.sizes == [2]


async def test_one_who_leaves_does_not_cancel_the_others(node: ScriptedNode) -> None:
    gate = asyncio.Event()

    async def later(asked: Asked) -> None:
        await gate.wait()
        asked.answer()

    node.default = later
    async with client_of(node) as client:
        leaver, *stayers = [asyncio.ensure_future(client.fetch([echo("x")])) for _ in range(5)]
        await node.was_asked()
        leaver.cancel()
        await asyncio.gather(leaver, return_exceptions=True)
        gate.set()
        assert [reply.values for reply in await asyncio.gather(*stayers)] == [("x",)] * 4
    assert leaver.cancelled()
    assert node.sizes == [1]


async def test_the_last_to_leave_takes_the_request_with_it(node: ScriptedNode) -> None:
    gone = asyncio.Event()

    async def wait_for_the_end(asked: Asked) -> None:
        gone.set()
        await asyncio.Event().wait()

    node.script = [wait_for_the_end]
    async with client_of(node, max_in_flight=1) as client:
        task = asyncio.ensure_future(client.fetch([echo("x")]))
        await gone.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        # Asked anew, not joined to the request that was given up; and the place is free again.
        assert (await client.fetch([echo("x")])).values == ("x",)
        assert client.snapshot()["in_flight"] == 0


async def test_an_answered_call_is_asked_again_the_next_time(node: ScriptedNode) -> None:
    async with client_of(node) as client:
        await client.fetch([echo("x")])
        await client.fetch([echo("x")])
    assert node.sizes == [1, 1]


async def test_those_who_share_a_failure_get_an_error_each(node: ScriptedNode) -> None:
    async def refuse(asked: Asked) -> None:
        call = asked.calls[0]
        asked.send_json(
            {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32602, "message": "no"}}
        )

    node.default = refuse
    async with client_of(node) as client:
        errors = await asyncio.gather(
            *(client.fetch([echo("x")]) for _ in range(3)), return_exceptions=True
        )
    assert all(isinstance(error, CallRefused) for error in errors)
    assert len({id(error) for error in errors}) == 3
    with pytest.raises(CallRefused, match="-32602"):
        raise errors[0]  # type: ignore[misc]  # an exception, as asserted
