"""Django's WSGI face behind ASGI: bounded in threads, waiting, bodies and time."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import Any

import pytest

from console.bodies import BodyConfig
from console.bridge import BridgeConfig, WsgiBridge, environ_of
from tests.web.conftest import Call

type Environ = dict[str, Any]
type Start = Callable[[str, list[tuple[str, str]]], None]


class Streaming:
    """What Django answers for a stream: an iterable that says so and wants to be closed."""

    streaming = True

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        self.closed.set()


def echo(environ: Environ, start: Start) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    start("200 OK", [("X-Length", str(len(body))), ("Connection", "close")])
    return [environ["REQUEST_METHOD"].encode(), b" ", environ["PATH_INFO"].encode("latin-1")]


class Gate:
    """An application whose requests wait until the test lets them go."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Semaphore(0)

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        self.entered.release()
        assert self.open.wait(30)
        start("200 OK", [])
        return [b"late"]


@pytest.fixture
def serve() -> Iterator[Callable[..., WsgiBridge]]:
    made: list[WsgiBridge] = []

    def make(app: Any = echo, **config: Any) -> WsgiBridge:
        made.append(WsgiBridge(app, BridgeConfig(**config)))
        return made[-1]

    yield make
    for bridge in made:
        bridge.close()


async def test_a_request_is_answered(serve: Callable[..., WsgiBridge]) -> None:
    call = await Call("/valid\u00e9/").to(serve())
    assert (call.status, call.text) == (200, "GET /valid\u00e9/")
    assert call.answered["content-length"] == "13"
    assert "connection" not in call.answered


async def test_a_body_arrives_whole_however_it_is_cut(serve: Callable[..., WsgiBridge]) -> None:
    parts = [b"x" * 100_000] * 5
    headers = {"Transfer-Encoding": "chunked"}
    call = await Call("/", "POST", headers=headers, body=parts).to(serve())
    assert call.answered["x-length"] == "500000"


@pytest.mark.parametrize(
    "headers", [{"Content-Length": "2000000"}, {"Transfer-Encoding": "chunked"}]
)
@pytest.mark.parametrize(
    ("path", "kind"), [("/", "text/plain"), ("/api/v1/runs", "application/problem+json")]
)
async def test_a_body_that_is_too_large_is_refused_said_or_unsaid(
    serve: Callable[..., WsgiBridge], headers: dict[str, str], path: str, kind: str
) -> None:
    body = (b"x" * 65_536 for _ in range(32))
    bridge = serve(bodies=BodyConfig(max_body=1_000_000))
    call = await Call(path, "POST", headers=dict(headers), body=body).to(bridge)
    assert call.status == 413
    assert call.answered["content-type"].startswith(kind)
    assert call.answered["connection"] == "close"


async def test_a_client_that_sends_nothing_is_let_go(serve: Callable[..., WsgiBridge]) -> None:
    call = Call("/", "POST", headers={"Content-Length": "10"})
    call._ended_body = lambda: False  # type: ignore[method-assign]
    assert (await call.to(serve(bodies=BodyConfig(idle_s=0.01)))).status == 408
    assert call.answered["connection"] == "close"


async def test_a_client_that_leaves_while_sending_costs_no_thread(
    serve: Callable[..., WsgiBridge],
) -> None:
    def never(environ: Environ, start: Start) -> Iterable[bytes]:
        raise AssertionError("it was called")

    call = Call("/", "POST", headers={"Content-Length": "10"})
    call._ended_body = lambda: False  # type: ignore[method-assign]
    call.gone.set()
    assert (await call.to(serve(never))).messages == []


async def test_a_full_waiting_room_refuses_at_once(serve: Callable[..., WsgiBridge]) -> None:
    gate = Gate()
    bridge = serve(gate, threads=1, waiting=1, wait_s=60)
    held = [asyncio.create_task(Call().to(bridge)) for _ in range(2)]
    await asyncio.to_thread(gate.entered.acquire)
    refused = await asyncio.wait_for(Call().to(bridge), 5)
    assert refused.status == 503
    assert refused.answered["retry-after"] == "1"
    gate.open.set()
    assert [(await call).text for call in held] == ["late", "late"]


async def test_waiting_ends_but_work_once_begun_does_not(serve: Callable[..., WsgiBridge]) -> None:
    gate = Gate()
    bridge = serve(gate, threads=1, waiting=5, wait_s=0.05)
    working = asyncio.create_task(Call().to(bridge))
    await asyncio.to_thread(gate.entered.acquire)
    waited = await asyncio.wait_for(Call().to(bridge), 5)
    assert waited.status == 503
    gate.open.set()
    assert (await working).text == "late"
    assert (await Call().to(bridge)).text == "late"


async def test_a_stream_is_drawn_as_it_is_taken(serve: Callable[..., WsgiBridge]) -> None:
    drawn: list[int] = []

    def chunks() -> Iterator[bytes]:
        for n in range(20):
            drawn.append(n)
            yield b"x" * 65_536

    answer = Streaming(chunks())

    def app(environ: Environ, start: Start) -> Streaming:
        start("200 OK", [])
        return answer

    call = Call()
    call.reads.clear()
    stream = asyncio.create_task(call.to(serve(app)))
    await asyncio.sleep(0)
    call.reads.set()
    await call.until("x" * 65_536)
    call.reads.clear()
    # One chunk may be on its way and one drawn; nothing runs ahead of the client.
    assert len(drawn) <= 1 + len(call.messages) + 1
    call.reads.set()
    await stream
    assert len(call.text) == 20 * 65_536
    assert call.is_complete
    assert answer.closed.is_set()


async def test_a_client_that_leaves_ends_the_stream(serve: Callable[..., WsgiBridge]) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 65_536

    answer = Streaming(endless())

    def app(environ: Environ, start: Start) -> Streaming:
        start("200 OK", [])
        return answer

    call = Call()
    stream = asyncio.create_task(call.to(serve(app)))
    await call.until("x")
    call.gone.set()
    await asyncio.wait_for(stream, 10)
    assert answer.closed.is_set()


async def test_a_stream_that_fails_is_cut_not_completed(serve: Callable[..., WsgiBridge]) -> None:
    def failing() -> Iterator[bytes]:
        yield b"x" * 65_536
        raise OSError("the database went away")

    def app(environ: Environ, start: Start) -> Streaming:
        start("200 OK", [])
        return Streaming(failing())

    call = await Call().to(serve(app))
    assert not call.is_complete
    assert call.transport.aborted


async def test_a_head_draws_nothing(serve: Callable[..., WsgiBridge]) -> None:
    drawn: list[bytes] = []

    def never() -> Iterator[bytes]:
        if drawn:
            yield b""
        raise AssertionError("it was drawn")

    def app(environ: Environ, start: Start) -> Streaming:
        start("200 OK", [])
        return Streaming(never())

    assert (await Call(method="HEAD").to(serve(app))).text == ""


def test_a_header_with_an_underscore_cannot_speak_for_another() -> None:
    scope = Call(headers={"X-Real": "true", "X_Real": "forged"}).scope
    assert environ_of(scope, BytesIO())["HTTP_X_REAL"] == "true"


def test_cookies_in_two_headers_are_one() -> None:
    scope = Call().scope | {"headers": [(b"cookie", b"a=1"), (b"cookie", b"b=2")]}
    assert environ_of(scope, BytesIO())["HTTP_COOKIE"] == "a=1; b=2"
