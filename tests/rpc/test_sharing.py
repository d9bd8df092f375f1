"""Identical calls in flight are asked once."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from tests.rpc.scripted import Asked, ScriptedNode, answer, client_of, echo
from validation.rpc import CallRefused, Reply


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


class Moving:
    """A node whose state changes while its answers are on their way."""

    def __init__(self, node: ScriptedNode) -> None:
        self._node = node
        self._gate = asyncio.Event()
        self.state = "old"
        node.default = self._slowly

    async def _slowly(self, asked: Asked) -> None:
        answers = [answer(call, self.state) for call in asked.calls]
        await self._gate.wait()
        asked.send_json(answers if asked.is_batch else answers[0])

    async def ask_before_and(
        self, *after: Callable[[], Awaitable[Reply]], before: Awaitable[Reply], sends: int
    ) -> list[tuple[object, ...]]:
        """The values of `before`, asked of the old state, and of those asked of the new, for which
        so many requests are sent.
        """
        known = len(self._node.asked)
        first = asyncio.ensure_future(before)
        await self._node.was_asked(known + 1)
        self.state = "new"
        others = [asyncio.ensure_future(ask()) for ask in after]
        await self._node.was_asked(known + 1 + sends)
        for _ in range(5):
            await asyncio.sleep(0)  # for those who send nothing
        self._gate.set()
        return [reply.values for reply in await asyncio.gather(first, *others)]


async def test_a_fresh_fetch_shares_nothing_that_was_sent_before_it(node: ScriptedNode) -> None:
    async with client_of(node) as client:
        told = await Moving(node).ask_before_and(
            partial(client.fetch, [echo("x")], fresh=True),
            partial(client.fetch, [echo("x")], fresh=True),
            partial(client.fetch, [echo("x")]),
            before=client.fetch([echo("x")]),
            sends=1,
        )
    assert told == [("old",), ("new",), ("new",), ("new",)]
    assert node.sizes == [1, 1]  # what had not been sent was shared


async def test_what_is_asked_after_a_parting_shares_nothing_of_before(
    node: ScriptedNode,
) -> None:
    async with client_of(node) as client:

        async def parted() -> Reply:
            await asyncio.to_thread(client.part)
            return await client.fetch([echo("x")])

        told = await Moving(node).ask_before_and(parted, before=client.fetch([echo("x")]), sends=1)
    assert told == [("old",), ("new",)]


async def test_after_a_parting_calls_are_shared_as_ever(
    node: ScriptedNode, lapse: Callable[[float], None]
) -> None:
    async with client_of(node) as client:
        await client.fetch([echo("y")])
        client.part()
        lapse(0.01)
        told = await Moving(node).ask_before_and(
            partial(client.fetch, [echo("x")]), before=client.fetch([echo("x")]), sends=0
        )
    assert told == [("old",), ("old",)]


async def test_without_sharing_each_asks_for_himself_also_within_a_batch(
    node: ScriptedNode,
) -> None:
    async with client_of(node, sharing=False) as client:
        replies = await asyncio.gather(
            client.fetch([echo("a"), echo("b")]),
            client.fetch([echo("a"), echo("b")]),
            client.fetch([echo("b")]),
        )
        assert client.snapshot()["shared"] == 0
    assert [reply.values for reply in replies] == [("a", "b"), ("a", "b"), ("b",)]
    asked = [call["params"][0] for one in node.asked for call in one.calls]
    assert asked == ["a", "b", "a", "b", "b"]
    assert len(node.asked) == 1


async def test_sharing_goes_and_comes_back_with_questions_under_way(node: ScriptedNode) -> None:
    let = asyncio.Event()

    async def late(asked: Asked) -> None:
        await let.wait()
        asked.answer()

    node.default = late
    async with client_of(node, batch_size=1) as client:
        asking = [asyncio.ensure_future(client.fetch([echo("x")])) for _ in range(2)]
        await node.was_asked()
        client.set_sharing(False)
        asking += [asyncio.ensure_future(client.fetch([echo("x")])) for _ in range(2)]
        await node.was_asked(3)
        client.set_sharing(True)
        asking += [asyncio.ensure_future(client.fetch([echo("x")])) for _ in range(2)]
        await asyncio.sleep(0)
        let.set()
        assert {reply.values for reply in await asyncio.gather(*asking)} == {("x",)}
        assert client.snapshot()["shared"] == 3  # of the first, which were never torn apart
    assert len(node.asked) == 3
