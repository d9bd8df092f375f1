"""Connections: kept alive, replaced when they died, and bounded in what they take in."""

import asyncio
import gzip
import tracemalloc
from typing import Any

import pytest

from tests.rpc.scripted import Asked, Handler, ScriptedNode, client_of, echo, never
from validation.rpc import (
    AnswerTooLarge,
    BadAnswer,
    NodeTimeout,
    NodeUnreachable,
    NodeUrl,
    Redirected,
    RpcError,
)


async def failure(node: ScriptedNode, **config: Any) -> RpcError:
    """The error that one attempt at `node` ends in."""
    async with client_of(node, max_attempts=1, **config) as client:
        with pytest.raises(RpcError) as caught:
            await client.fetch([echo("x")])
        assert client.snapshot()["in_flight"] == 0
    return caught.value


def raw(*chunks: bytes, close: bool = False) -> Handler:
    async def handler(asked: Asked) -> None:
        for chunk in chunks:
            asked.writer.write(chunk)
            await asked.writer.drain()
        if close:
            asked.close()

    return handler


async def test_a_connection_is_kept(node: ScriptedNode) -> None:
    async with client_of(node) as client:
        for n in range(5):
            await client.fetch([echo(str(n))])
    assert node.connections == 1


async def test_a_restarted_node_is_asked_on_a_new_connection_without_a_failure(
    node: ScriptedNode,
) -> None:
    async with client_of(node, max_attempts=1) as client:
        await client.fetch([echo("before")])
        await node.stop()
        await node.start()
        assert (await client.fetch([echo("after")])).values == ("after",)
        assert client.snapshot()["nodes"][node.node.label]["failures"] == {}


async def test_a_connection_that_dies_under_the_request_is_replaced_at_once(
    node: ScriptedNode,
) -> None:
    """The node closes a kept connection just as the next request goes out on it."""

    async def reset(asked: Asked) -> None:
        asked.reset()

    async with client_of(node, max_attempts=1) as client:
        await client.fetch([echo("before")])
        node.script = [reset]
        assert (await client.fetch([echo("after")])).values == ("after",)
    assert node.sizes == [1, 1, 1]


async def test_a_fresh_connection_that_dies_is_a_failure(node: ScriptedNode) -> None:
    async def reset(asked: Asked) -> None:
        asked.reset()

    node.default = reset
    error = await failure(node)
    assert isinstance(error, NodeUnreachable)
    assert error.retryable
    assert error.trips_breaker
    assert len(node.asked) == 1


async def test_a_node_that_closes_after_each_answer_is_dialled_each_time(
    node: ScriptedNode,
) -> None:
    async def answer_and_close(asked: Asked) -> None:
        body = b'{"jsonrpc":"2.0","id":%d,"result":"ok"}' % asked.calls[0]["id"]
        asked.send(body, connection="close")
        asked.close()

    node.default = answer_and_close
    async with client_of(node, max_attempts=1) as client:
        for n in range(3):
            assert (await client.fetch([echo(str(n))])).values == ("ok",)
    assert node.connections == 3


async def test_an_answer_without_a_length_ends_with_the_connection(node: ScriptedNode) -> None:
    async def answer(asked: Asked) -> None:
        asked.writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        asked.writer.write(b'{"jsonrpc":"2.0","id":%d,' % asked.calls[0]["id"])
        await asked.writer.drain()
        asked.writer.write(b'"result":"whole"}')
        asked.close()

    node.default = answer
    async with client_of(node) as client:
        assert (await client.fetch([echo("x")])).values == ("whole",)


async def test_chunks_and_early_hints_are_understood(node: ScriptedNode) -> None:
    async def answer(asked: Asked) -> None:
        body = b'{"jsonrpc":"2.0","id":%d,"result":"ok"}' % asked.calls[0]["id"]
        asked.writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
        asked.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for byte in body:
            asked.writer.write(b"1\r\n" + bytes([byte]) + b"\r\n")
        asked.writer.write(b"0\r\n\r\n")

    node.default = answer
    async with client_of(node) as client:
        assert (await client.fetch([echo("x")])).values == ("ok",)


async def test_bytes_behind_an_answer_close_the_connection(node: ScriptedNode) -> None:
    async def answer_twice(asked: Asked) -> None:
        asked.answer()
        asked.answer()

    node.script = [answer_twice]
    async with client_of(node) as client:
        for name in ("one", "two"):
            assert (await client.fetch([echo(name)])).values == (name,)
    assert node.connections == 2


@pytest.mark.parametrize(
    ("handler", "kind", "words"),
    [
        (raw(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"), BadAnswer, "not HTTP"),
        (raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000), BadAnswer, "head is longer"),
        (
            raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", close=True),
            NodeUnreachable,
            "middle",
        ),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"), BadAnswer, "not JSON"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), BadAnswer, "JSON-RPC"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), BadAnswer, "not JSON"),
        (raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), BadAnswer, "not HTTP"),
        (
            raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\n."),
            BadAnswer,
            "not asked for",
        ),
        (
            raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\n."),
            BadAnswer,
            "does not unpack",
        ),
        (
            raw(b"HTTP/1.1 302 Found\r\nLocation: http://evil/\r\nContent-Length: 0\r\n\r\n"),
            Redirected,
            "not followed",
        ),
    ],
)  # fmt: skip
async def test_what_is_no_answer_is_told_apart(
    node: ScriptedNode, handler: Handler, kind: type[RpcError], words: str
) -> None:
    node.default = handler
    error = await failure(node)
    assert type(error) is kind
    assert words in str(error)
    assert node.node.label in str(error)
    assert error.trips_breaker


async def test_a_body_larger_than_allowed_is_cut_off(node: ScriptedNode) -> None:
    written = 0

    async def flood(asked: Asked) -> None:
        nonlocal written
        asked.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            asked.writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            written += 0x10000
            await asked.writer.drain()

    node.default = flood
    error = await failure(node, max_body_bytes=1_000_000)
    assert isinstance(error, AnswerTooLarge)
    assert not error.trips_breaker
    assert written < 50_000_000


async def test_a_packed_answer_is_unpacked(node: ScriptedNode) -> None:
    async def answer(asked: Asked) -> None:
        body = b'{"jsonrpc":"2.0","id":%d,"result":"ok"}' % asked.calls[0]["id"]
        asked.send(gzip.compress(body), content_encoding="gzip")

    node.default = answer
    async with client_of(node) as client:
        assert (await client.fetch([echo("x")])).values == ("ok",)
    assert node.asked[0].headers["accept-encoding"] == "gzip"


async def test_a_packed_bomb_stays_small(node: ScriptedNode) -> None:
    bomb = gzip.compress(b" " * 100_000_000)

    async def answer(asked: Asked) -> None:
        asked.send(bomb, content_encoding="gzip")

    node.default = answer
    tracemalloc.start()
    error = await failure(node, max_body_bytes=1_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(error, AnswerTooLarge)
    assert peak < 10_000_000


async def test_a_drip_ends_with_the_time_of_a_call(node: ScriptedNode) -> None:
    """Each byte comes promptly; the whole never does. A timeout between reads would not fire."""

    async def drip(asked: Asked) -> None:
        asked.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            asked.writer.write(b" ")
            await asyncio.sleep(0.002)

    node.default = drip
    error = await failure(node, call_timeout_s=0.1)
    assert isinstance(error, NodeTimeout)


async def test_silence_ends_with_the_time_of_a_call(node: ScriptedNode) -> None:
    node.default = never
    error = await failure(node, call_timeout_s=0.05)
    assert isinstance(error, NodeTimeout)
    assert "0.05 s" in str(error)


async def test_a_closed_port_says_so(node: ScriptedNode) -> None:
    await node.stop()
    error = await failure(node)
    assert isinstance(error, NodeUnreachable)
    assert "refused" in str(error)


async def test_a_name_that_does_not_resolve_says_so() -> None:
    url = NodeUrl.parse("http://no-such-host.invalid/")
    async with client_of(url, max_attempts=1) as client:
        with pytest.raises(NodeUnreachable, match="does not resolve"):
            await client.fetch([echo("x")])


async def test_an_idle_connection_is_not_kept_for_ever(node: ScriptedNode) -> None:
    async with client_of(node, idle_timeout_s=1e-9) as client:
        await client.fetch([echo("one")])
        await client.fetch([echo("two")])
    assert node.connections == 2


async def test_what_is_sent_is_plain_http(node: ScriptedNode) -> None:
    url = NodeUrl.parse(
        f"http://us%40er:pass@127.0.0.1:{node.port}/v1/a key?x=1".replace(" ", "%20")
    )
    async with client_of(url) as client:
        await client.fetch([echo("x")])
    asked = node.asked[0]
    assert asked.target == "/v1/a%20key?x=1"
    assert asked.headers["authorization"] == "Basic dXNAZXI6cGFzcw=="
    assert asked.headers["host"] == f"127.0.0.1:{node.port}"
    assert asked.headers["content-type"] == "application/json"
