"""What a body may cost before anybody knows who sends it."""

import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import IO

import pytest

from console.bodies import Bodies, BodyConfig
from console.wire import Refused
from tests.web.conftest import Call

CHUNKED = {"Transfer-Encoding": "chunked"}
COOKIE = {"Cookie": "csrftoken=a; sessionid=b"}
MB = 2**20


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def between(self, parts: Iterable[bytes], seconds: float) -> Iterator[bytes]:
        """The parts of a client that takes its time for each."""
        for part in parts:
            self.now += seconds
            yield part


@asynccontextmanager
async def sent(
    bodies: Bodies, parts: Iterable[bytes] = (), **headers: str
) -> AsyncIterator[IO[bytes]]:
    call = Call("/", "POST", headers=headers or dict(CHUNKED), body=parts)
    async with bodies.of(call.scope, call.receive) as body:
        assert body is not None
        yield body


async def refusal(bodies: Bodies, parts: Iterable[bytes] = (), **headers: str) -> Refused:
    with pytest.raises(Refused) as caught:
        async with sent(bodies, parts, **headers):
            pass
    assert caught.value.closes
    return caught.value


async def test_a_byte_now_and_then_does_not_hold_a_place() -> None:
    clock = Clock()
    bodies = Bodies(BodyConfig(receiving=1), clock)
    drip = clock.between((b"x" for _ in range(50)), 14)
    refused = await refusal(bodies, drip)
    assert refused.status == 408
    assert "32 kB a second" in str(refused)
    assert clock.now < 60
    async with sent(bodies, [b"its place is free"]) as body:
        assert body.read() == b"its place is free"


async def test_a_slow_but_steady_upload_comes_through() -> None:
    clock = Clock()
    parts = clock.between([b"x" * 65_536] * 100, 1.5)
    async with sent(Bodies(BodyConfig(), clock), parts, **CHUNKED, **COOKIE) as body:
        assert len(body.read()) == 6_553_600
    assert clock.now > 100


@pytest.mark.parametrize("length", [{"Content-Length": str(MB + 1)}, CHUNKED])
async def test_who_shows_nothing_sends_little(length: dict[str, str]) -> None:
    parts = (b"x" * 65_536 for _ in range(17))
    refused = await refusal(Bodies(BodyConfig()), parts, **length, Cookie="csrftoken=sessionid")
    assert refused.status == 413
    assert "sign in or send a token" in str(refused)


@pytest.mark.parametrize("shown", [COOKIE, {"Authorization": "Bearer a"}, {"X-API-Key": "a"}])
async def test_who_shows_a_session_or_a_token_sends_more(shown: dict[str, str]) -> None:
    async with sent(Bodies(BodyConfig()), [b"x" * MB] * 2, **CHUNKED, **shown) as body:
        assert len(body.read()) == 2 * MB


async def test_all_bodies_together_fit_the_budget_until_they_are_worked_on() -> None:
    bodies = Bodies(BodyConfig(all_bodies=1_000))
    async with sent(bodies, [b"x" * 600]):
        for headers in ({"Content-Length": "500"}, CHUNKED):
            refused = await refusal(bodies, [b"x" * 500], **headers)
            assert refused.status == 503
            assert "as many uploads as it can" in str(refused)
        async with sent(bodies, [b"x" * 400]):
            pass
    async with sent(bodies, [b"x" * 1_000]) as body:
        assert len(body.read()) == 1_000


async def test_a_full_disk_is_said_and_gives_its_share_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bodies = Bodies(BodyConfig(all_bodies=1_000))

    def full(_self: object, _part: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(tempfile.SpooledTemporaryFile, "write", full)
        assert (await refusal(bodies, [b"x" * 800])).status == 503
    async with sent(bodies, [b"x" * 1_000]) as body:
        assert len(body.read()) == 1_000


@pytest.mark.parametrize("length", ["-1", "1e3", "9" * 5_000])
async def test_a_length_that_is_none_is_refused(length: str) -> None:
    assert (await refusal(Bodies(BodyConfig()), (), **{"Content-Length": length})).status == 400
