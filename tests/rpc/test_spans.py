"""Where the time of a question went, stretch by stretch."""

import asyncio

from tests.rpc.scripted import Asked, ScriptedNode, client_of, echo, until
from validation.rpc import Reply, Span
from validation.rpc.timing import MOST_STRETCHES, Remembered, Sending, Timing


def names(reply: Reply) -> list[str]:
    return [span.name for span in reply.spans]


def in_order(reply: Reply) -> bool:
    ends = [(span.at_ms, span.at_ms + span.ms) for span in reply.spans]
    return all(ms >= 0 for _, ms in ends) and ends == sorted(ends)


async def broken(asked: Asked) -> None:
    asked.send(b"", status=502)


async def test_the_first_question_waits_for_a_connection_and_the_next_does_not(
    node: ScriptedNode,
) -> None:
    async with client_of(node) as client:
        first = await client.fetch([echo("a")])
        assert names(first) == ["queue", "pool", "attempt"]
        assert {span.node for span in first.spans} == {"", node.node.label}
        second = await client.fetch([echo("b")])
        assert names(second)[-1] == "attempt"
        assert in_order(first)
        assert in_order(second)


async def test_each_attempt_tells_its_node_and_how_it_ended(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    node.default = broken
    async with client_of(node, other) as client:
        reply = await client.fetch([echo("a")])
        attempts = [(span.node, span.note) for span in reply.spans if span.name == "attempt"]
        assert attempts == [(node.node.label, "http_status"), (other.node.label, "")]
        assert in_order(reply)


async def test_a_back_off_is_told(node: ScriptedNode) -> None:
    node.script = [broken]
    async with client_of(node) as client:
        reply = await client.fetch([echo("a")])
        found = [name for name in names(reply) if name != "pool"]
        assert found == ["queue", "attempt", "backoff", "queue", "attempt"]
        backoff = next(span for span in reply.spans if span.name == "backoff")
        assert backoff.ms > 0
        assert in_order(reply)


async def test_what_waits_for_the_limiter_says_so(node: ScriptedNode) -> None:
    gate = asyncio.Event()

    async def late(asked: Asked) -> None:
        await gate.wait()
        asked.answer()

    node.script = [late]
    async with client_of(node, max_in_flight=1) as client:
        first = asyncio.create_task(client.fetch([echo("a")]))
        await node.was_asked()
        second = asyncio.create_task(client.fetch([echo("b")]))
        await until(lambda: client.snapshot()["waiting"])
        gate.set()
        await first
        assert [name for name in names(await second) if name != "pool"] == [
            "queue",
            "limiter",
            "attempt",
        ]


async def test_who_joins_a_question_that_is_with_a_node_shares_the_rest_of_it(
    node: ScriptedNode,
) -> None:
    gate = asyncio.Event()

    async def late(asked: Asked) -> None:
        await gate.wait()
        asked.answer()

    node.default = late
    async with client_of(node) as client:
        first = asyncio.create_task(client.fetch([echo("a")]))
        await node.was_asked()
        second = asyncio.create_task(client.fetch([echo("a")]))
        await until(lambda: client.snapshot()["shared"])
        gate.set()
        assert names(await first)[-1] == "attempt"
        assert names(await second) == ["shared"]


def test_what_is_noted_of_attempts_is_bounded() -> None:
    from validation.rpc.classes import shape_of  # noqa: PLC0415 - beside the public face
    from validation.rpc.groups import Group  # noqa: PLC0415 - as above

    group = Group([b"x"], shape=shape_of([echo("a")]))
    for at in range(1000):
        group.tried_in_vain(Sending("n", "", 0.0, at, at, at + 0.5), "rate_limited")
        group.rested(at + 0.5)
    assert len(group.before) <= MOST_STRETCHES + 3


def test_the_way_through_the_cache_comes_before_the_way_to_the_node() -> None:
    below = Timing(10.25, Sending("n", "", 0.0, 10.5, 10.5, 11.0))
    found = Remembered(10.0, 11.0, "node", "n", has_l2=True, below=below).spans()
    assert [(span.name, span.at_ms, span.ms, span.note) for span in found] == [
        ("l1", 0.0, 0.0, "miss"),
        ("l2", 0.0, 250.0, "miss"),
        ("queue", 250.0, 250.0, ""),
        ("attempt", 500.0, 500.0, ""),
    ]


def test_what_somebody_else_asked_before_is_shared() -> None:
    below = Timing(9.0, Sending("n", "", 0.0, 9.0, 9.0, 11.0))
    found = Remembered(10.0, 11.0, "node", "n", has_l2=True, below=below).spans()
    assert [(span.name, span.ms) for span in found] == [("l1", 0.0), ("shared", 1000.0)]


def test_a_hit_is_told_without_anything_noted() -> None:
    assert Reply((), "n", (), "l1", 1.0).spans == (Span(name="l1", at_ms=0.0, ms=0.0, note="hit"),)
    assert Remembered(1.0, 1.5, "l2", "n", has_l2=True).spans()[-1] == Span(
        name="l2", at_ms=0.0, ms=500.0, note="hit"
    )
    assert Reply((), "n").spans == ()
