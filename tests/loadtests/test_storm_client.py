"""The crowd of the connection storm, against servers that answer well, refuse, break and lie."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from console.loadtests.storm_client import Page, Tally, storm

type Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def _saying(*answers: bytes) -> tuple[Serve, list[bytes]]:
    """A server that says these in turn, then the last again; and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                asked.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(answers[min(len(asked), len(answers)) - 1])
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    return serve, asked


async def _stormed(serve: Serve, *, users: int = 3) -> Tally:
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        page = Page(host="127.0.0.1", port=port, path="/validations/", cookie="sessionid=s")
        return await storm(page, users=users, for_s=0.2)


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
BUSY = b"HTTP/1.1 503 Busy\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"
HANGING = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"
BROKEN = b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n"


async def test_pages_are_read_over_and_over_by_whoever_is_signed_in() -> None:
    serve, asked = _saying(OK, CHUNKED)
    tally = await _stormed(serve)
    assert tally.answered == len(tally.waits_s) > 3
    assert (tally.refused, tally.other.total()) == (0, 0)
    assert b"Cookie: sessionid=s\r\n" in asked[0]


async def test_a_refusal_that_says_when_to_come_again_is_as_it_should_be() -> None:
    tally = await _stormed(_saying(BUSY)[0], users=2)
    assert (tally.answered, tally.refused, tally.other.total()) == (0, 2, 0)


@pytest.mark.parametrize(
    ("answer", "said"), [(HANGING, "status 503"), (BROKEN, "status 500"), (b"", "cut off")]
)
async def test_anything_else_is_told_as_what_it_is(answer: bytes, said: str) -> None:
    async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    tally = await _stormed(_saying(answer)[0] if answer else drop, users=1)
    assert tally.other.total() >= 1
    assert all(said in what for what in tally.other)


async def test_nobody_listening_is_no_answer() -> None:
    page = Page(host="127.0.0.1", port=9, path="/", cookie="")
    tally = await storm(page, users=1, for_s=0.1)
    assert tally.waited_s(1.0) is None
    assert list(tally.other) == ["no connection: ConnectionRefusedError"]


def test_a_share_of_the_waits() -> None:
    tally = Tally(waits_s=[3.0, 1.0, 2.0, 4.0])
    assert [tally.waited_s(share) for share in (0.25, 0.5, 1.0)] == [1.0, 2.0, 4.0]
