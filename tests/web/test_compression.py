"""Whole answers go out as small as their reader takes them; nothing else is touched."""

import gzip
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.bridge import BridgeConfig, WsgiBridge
from console.compression import COMPRESSIONS, NO_COMPRESSION, Compression, negotiate
from console.wire import Headers
from tests.web.conftest import Call
from tests.web.test_bridge import Streaming

HTML: Headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"9000")]
PAGE = b"<li>validation</li>" * 500
DECODE: dict[str, Callable[[bytes], bytes]] = {"br": brotli.decompress, "gzip": gzip.decompress}
BROTLI = COMPRESSIONS["brotli"]
BOTH = Compression(offered=BROTLI, threshold=1024)


def encoded(
    accepted: str, *, status: int = 200, headers: Headers = HTML, body: bytes = PAGE
) -> tuple[dict[bytes, bytes], bytes]:
    found, sent = BOTH.encode(accepted, status, headers, body)
    return dict(found), sent


@pytest.mark.parametrize(
    ("accepted", "name"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("GZIP;Q=0.2", "gzip"),
        ("br;q=0.2, gzip;q=0.8", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("*", "br"),
        ("*;q=0.1, br;q=0", "gzip"),
        ("gzip;q=0.5, identity", None),
        ("gzip;q=0.5, identity;q=0.5", "gzip"),
        ("identity", None),
        ("gzip;q=0", None),
        ("*;q=0", None),
        ("deflate", None),
        ("", None),
        ("gzip;q=much", None),
        ("gzip;q=7", None),
        (",;,gzip ; level=1 ; q=1", "gzip"),
    ],
)
def test_the_client_likes_it_or_it_stays_as_it_is(accepted: str, name: str | None) -> None:
    headers, sent = encoded(accepted)
    assert headers.get(b"content-encoding", b"").decode() == (name or "")
    assert (DECODE[name](sent) if name else sent) == PAGE
    assert headers[b"vary"] == b"Accept-Encoding"
    if name:
        assert headers[b"content-length"] == str(len(sent)).encode()
        assert len(sent) < len(PAGE) / 10


@given(st.text(max_size=60))
def test_no_header_of_a_client_raises(accepted: str) -> None:
    negotiate(accepted, BROTLI)


@pytest.mark.parametrize("variant", COMPRESSIONS)
def test_a_variant_offers_what_it_names(variant: str) -> None:
    shape = Compression(offered=COMPRESSIONS[variant])
    headers, sent = shape.encode("br, gzip", 200, HTML, PAGE)
    wanted = {"none": None, "gzip": "gzip", "brotli": "br"}[variant]
    assert dict(headers).get(b"content-encoding") == (wanted.encode() if wanted else None)
    assert (headers == HTML) is (wanted is None)
    assert (sent == PAGE) is (wanted is None)


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (200, HTML, PAGE[:1023]),
        (206, HTML, PAGE),
        (204, HTML, PAGE),
        (304, HTML, PAGE),
        (200, [(b"content-type", b"image/png")], PAGE),
        (200, [(b"content-type", b"text/event-stream")], PAGE),
        (200, [], PAGE),
        (200, [*HTML, (b"content-encoding", b"gzip")], PAGE),
        (200, [*HTML, (b"cache-control", b"public, no-transform")], PAGE),
        (200, HTML, b"x" * (4 * 1024 * 1024 + 1)),
    ],
    ids=[
        *("small", "part", "nothing", "as before", "picture", "events", "of no type"),
        *("encoded before", "not to be transformed", "too large"),
    ],
)
def test_what_would_break_or_gain_nothing_is_left(
    status: int, headers: Headers, body: bytes
) -> None:
    assert BOTH.encode("br, gzip", status, headers, body) == (headers, body)


def test_what_does_not_shrink_goes_out_as_it_is() -> None:
    noise = random.Random(7).randbytes(4_000)
    headers, sent = encoded("br, gzip", body=noise)
    assert (sent, b"content-encoding" in headers) == (noise, False)
    assert headers[b"vary"] == b"Accept-Encoding"


@pytest.mark.parametrize(
    ("before", "after"), [(b'"a7"', b'W/"a7"'), (b'W/"a7"', b'W/"a7"')], ids=["strong", "weak"]
)
def test_an_etag_names_other_bytes_now_so_it_is_weak(before: bytes, after: bytes) -> None:
    named: Headers = [*HTML, (b"etag", before)]
    assert encoded("br", headers=named)[0][b"etag"] == after
    assert encoded("", headers=named)[0][b"etag"] == before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([b"Cookie, HX-Request"], b"Cookie, HX-Request, Accept-Encoding"),
        ([b"Cookie", b"accept-encoding"], b"Cookie, accept-encoding"),
        ([b"*"], b"*"),
    ],
)
def test_vary_keeps_what_it_says(before: list[bytes], after: bytes) -> None:
    found, _ = encoded("br", headers=[*HTML, *((b"vary", each) for each in before)])
    assert found[b"vary"] == after


def test_both_answers_to_one_question_are_the_same_bytes() -> None:
    assert encoded("gzip")[1] == encoded("gzip")[1]
    large = encoded("br", body=PAGE * 100)[1]
    assert brotli.decompress(large) == PAGE * 100


type Start = Callable[[str, list[tuple[str, str]]], None]


def page(_: dict[str, Any], start: Start) -> Iterable[bytes]:
    start("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(PAGE)))])
    return [PAGE]


def stream(chunks: int) -> Callable[[dict[str, Any], Start], Iterable[bytes]]:
    def app(_: dict[str, Any], start: Start) -> Iterable[bytes]:
        start("200 OK", [("Content-Type", "text/csv")])
        return Streaming(iter([b"a,b,c\r\n" * 4_000] * chunks))

    return app


@pytest.fixture
def serve() -> Iterator[Callable[..., WsgiBridge]]:
    made: list[WsgiBridge] = []

    def make(app: Any, shape: Callable[[], Compression] = lambda: BOTH) -> WsgiBridge:
        made.append(WsgiBridge(app, BridgeConfig(compression=shape)))
        return made[-1]

    yield make
    for bridge in made:
        bridge.close()


def sent(call: Call) -> bytes:
    return b"".join(message.get("body", b"") for message in call.messages[1:])


async def test_a_page_goes_out_as_the_flag_says_at_that_moment(
    serve: Callable[..., WsgiBridge],
) -> None:
    shape = BOTH
    bridge = serve(page, lambda: shape)
    accepting = {"Accept-Encoding": "gzip, br"}
    call = await Call(headers=dict(accepting)).to(bridge)
    assert (call.answered["content-encoding"], brotli.decompress(sent(call))) == ("br", PAGE)
    assert call.answered["content-length"] == str(len(sent(call)))
    shape = NO_COMPRESSION
    call = await Call(headers=dict(accepting)).to(bridge)
    assert ("content-encoding" in call.answered, sent(call)) == (False, PAGE)


async def test_head_says_nothing_of_an_encoding_it_does_not_send(
    serve: Callable[..., WsgiBridge],
) -> None:
    call = await Call(method="HEAD", headers={"Accept-Encoding": "br"}).to(serve(page))
    assert ("content-encoding" in call.answered, sent(call)) == (False, b"")
    assert call.answered["content-length"] == str(len(PAGE))


@pytest.mark.parametrize(("chunks", "is_whole"), [(2, True), (20, False)])
async def test_a_stream_is_encoded_only_where_it_ended_at_once(
    serve: Callable[..., WsgiBridge], chunks: int, is_whole: bool
) -> None:
    call = await Call(headers={"Accept-Encoding": "gzip"}).to(serve(stream(chunks)))
    body = sent(call)
    assert ("content-encoding" in call.answered) is is_whole
    assert (gzip.decompress(body) if is_whole else body) == b"a,b,c\r\n" * 4_000 * chunks
