"""OFREP's event stream: who may listen, what is heard, and what ends it."""

import asyncio
import json
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from django.core.signing import Signer
from django.db import OperationalError
from django.test import override_settings

from console.flags.ofrep import streams as ofrep_streams
from console.flags.ofrep.app import Ofrep
from console.flags.ofrep.cors import Cors
from console.flags.ofrep.streams import LIFE_S, PATH, Streams, address_for, permitted
from console.flags.ofrep.wire import OfrepRefused
from console.flags.provider import FlagProvider
from tests.ofrep.conftest import ask, load, told
from tests.web.conftest import Call

NOW = 1_000_000_000.0


class World:
    """The clock, and which tokens are good."""

    def __init__(self) -> None:
        self.now = NOW
        self.good = {7}
        self.is_down = False
        self.is_wrong = False
        self.asked = 0
        self.answers = threading.Event()
        self.answers.set()

    def still_good(self, tokens: Iterable[int]) -> set[int]:
        self.asked += 1
        assert self.answers.wait(10)
        if self.is_wrong:
            raise TypeError("nothing that a database says")
        if self.is_down:
            raise OperationalError("refused")
        return self.good & set(tokens)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def app(make: Callable[..., Ofrep], flags: FlagProvider, world: World) -> Ofrep:
    return make(streams=Streams(lambda: flags.revision, world.still_good, clock=lambda: world.now))


def listener(address: str = "", **headers: str) -> Call:
    path, _, query = (address or address_for(7, NOW)).partition("?")
    return Call(path, "GET", query, {k.replace("_", "-"): v for k, v in headers.items()})


@asynccontextmanager
async def listening(app: Ofrep, call: Call) -> AsyncIterator[Call]:
    task = asyncio.ensure_future(call.to(app))
    try:
        async with asyncio.timeout(10):
            yield call
            call.gone.set()
            await task
    finally:
        task.cancel()


def events(call: Call) -> list[tuple[int, dict[str, Any]]]:
    found = re.findall(r"id: (\d+)\nevent: message\ndata: (.*)\n\n", call.text)
    return [(int(number), json.loads(data)) for number, data in found]


async def heard(call: Call, revision: int) -> dict[str, Any]:
    await call.until(f"id: {revision}\nevent: message\ndata: ")
    return dict(events(call))[revision]


async def test_a_change_is_told_as_an_event_that_asks_for_all_flags_again(
    app: Ofrep, flags: FlagProvider
) -> None:
    async with listening(app, listener(Last_Event_ID="41")) as call:
        await call.until("retry: ")
        assert call.status == 200
        assert call.answered["content-type"].startswith("text/event-stream")
        assert call.answered["cache-control"] == "no-store"
        assert events(call) == []
        load(flags, 42)
        assert await heard(call, 42) == {
            "type": "refetchEvaluation",
            "etag": "r42",
            "lastModified": int(NOW),
        }
        load(flags, 43)
        await heard(call, 43)
    assert [number for number, _ in events(call)] == [42, 43]


async def test_who_comes_new_or_back_after_a_change_is_told_at_once(app: Ofrep) -> None:
    for headers in ({}, {"Last_Event_ID": "40"}, {"Last_Event_ID": "nonsense"}):
        async with listening(app, listener(**headers)) as call:
            await heard(call, 41)


async def test_the_address_that_all_flags_come_with_is_one_to_listen_at(app: Ofrep) -> None:
    [stream] = told(await ask(app))["eventStreams"]
    app._streams._clock = time.time
    async with listening(app, listener(stream["endpoint"]["requestUri"])) as call:
        await heard(call, 41)


async def test_a_page_of_a_named_origin_may_listen(
    make: Callable[..., Ofrep], flags: FlagProvider, world: World
) -> None:
    streams = Streams(lambda: flags.revision, world.still_good, clock=lambda: world.now)
    app = make(cors=Cors(("https://app.example.com",)), streams=streams)
    async with listening(app, listener(Origin="https://app.example.com")) as call:
        await heard(call, 41)
        assert call.answered["access-control-allow-origin"] == "https://app.example.com"
    async with listening(app, listener(Origin="https://evil.example")) as call:
        await heard(call, 41)
        assert "access-control-allow-origin" not in call.answered


def test_an_address_stays_the_same_for_an_hour_and_holds_for_one_to_two() -> None:
    start = NOW - NOW % LIFE_S
    address = address_for(7, start)
    assert {address_for(7, start + s) for s in range(0, LIFE_S, 60)} == {address}
    assert address_for(7, start + LIFE_S) != address
    assert address_for(8, start) != address
    permit = address.partition("permit=")[2]
    assert permitted(permit, start + 2 * LIFE_S - 1) == (7, int(start) + 2 * LIFE_S)
    with pytest.raises(OfrepRefused, match="is over"):
        permitted(permit, start + 2 * LIFE_S)


def forged() -> list[str]:
    with override_settings(SECRET_KEY="another" * 8):
        elsewhere = address_for(7, NOW)
    return [
        elsewhere,
        address_for(7, NOW)[:-1],
        address_for(7, NOW).replace("permit=", "permit=x"),
        f"{PATH}?permit={Signer(salt='another').sign_object([7, int(NOW) + 60])}",
        f"{PATH}?permit={Signer(salt=ofrep_streams._SALT).sign_object([7])}",
        f"{PATH}?permit={Signer(salt=ofrep_streams._SALT).sign_object('ab')}",
        f"{PATH}?permit=",
        PATH,
        address_for(7, NOW - 3 * LIFE_S),
        address_for(8, NOW),  # a token that was revoked
    ]


@pytest.mark.parametrize("n", range(10))
async def test_a_forged_expired_or_revoked_address_is_refused(app: Ofrep, n: int) -> None:
    call = await listener(forged()[n]).to(app)
    assert call.status == 401
    assert told(call)["errorDetails"]


async def test_a_revoked_token_ends_its_streams_and_an_outage_ends_none(
    app: Ofrep, world: World
) -> None:
    call = listener()
    task = asyncio.ensure_future(call.to(app))
    async with asyncio.timeout(10):
        await heard(call, 41)
        world.is_down = True
        for _ in range(2):
            world.now += 5
            call.said.clear()
            await call.said.wait()
        assert call.text.endswith(": heartbeat\n\n")
        world.is_down = False
        world.good = set()
        world.now += 1
        await task
    assert call.is_complete


async def asked(world: World, times: int) -> None:
    async with asyncio.timeout(10):
        while world.asked < times:  # noqa: ASYNC110 - a thread counts, which sets no event here
            await asyncio.sleep(0.01)


async def test_a_database_that_hangs_keeps_no_change_no_heartbeat_and_no_newcomer_back(
    app: Ofrep, flags: FlagProvider, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ofrep_streams, "PATIENCE_S", 0.05)
    async with listening(app, listener()) as call:
        await heard(call, 41)
        world.answers.clear()
        before = world.asked
        world.now += 1
        await asked(world, before + 1)
        for revision in (42, 43):
            load(flags, revision)
            await heard(call, revision)
            world.now += 5
        await call.until(": heartbeat")
        assert world.asked == before + 1  # one question at a time
        async with listening(app, listener()) as late:
            await heard(late, 43)
        world.answers.set()
        world.good = set()
        world.now += 1
        await until_complete(call)


async def test_a_check_that_fails_ends_no_stream_and_is_made_again(
    app: Ofrep, flags: FlagProvider, world: World
) -> None:
    async with listening(app, listener()) as call:
        await heard(call, 41)
        with structlog.testing.capture_logs() as lines:
            world.is_wrong = True
            for _ in range(2):
                before = world.asked
                world.now += 1
                await asked(world, before + 1)
            load(flags, 42)
            await heard(call, 42)
            refused = await listener().to(app)
        assert refused.status == 401
        assert {line["event"] for line in lines} == {"ofrep.stream_check_failed"}
        world.is_wrong = False
        world.good = set()
        world.now += 1
        await until_complete(call)


async def until_complete(call: Call) -> None:
    async with asyncio.timeout(10):
        while not call.is_complete:
            call.said.clear()
            await call.said.wait()


async def test_a_look_that_fails_is_told_and_the_next_one_sees_the_change(
    make: Callable[..., Ofrep], flags: FlagProvider, world: World
) -> None:
    fails = False

    def revision() -> int:
        if fails:
            raise RuntimeError("no copy yet")
        return flags.revision

    app = make(streams=Streams(revision, world.still_good, clock=lambda: world.now))
    async with listening(app, listener()) as call:
        await heard(call, 41)
        with structlog.testing.capture_logs() as lines:
            fails = True
            async with asyncio.timeout(10):
                while not lines:  # noqa: ASYNC110 - the log sets no event
                    await asyncio.sleep(0.01)
        fails = False
        load(flags, 42)
        await heard(call, 42)
    assert lines[0]["event"] == "ofrep.stream_look_failed"


async def test_a_stream_ends_with_its_time_and_with_the_process(app: Ofrep, world: World) -> None:
    def age() -> None:
        world.now = NOW + 3 * LIFE_S

    for end in (age, app.end):
        world.now = NOW
        call = listener()
        task = asyncio.ensure_future(call.to(app))
        async with asyncio.timeout(10):
            await heard(call, 41)
            end()
            await task
        assert call.is_complete


async def test_a_client_that_takes_nothing_is_cut_off_and_skips_what_it_missed(
    app: Ofrep, flags: FlagProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(app, listener()) as call:
        await heard(call, 41)
        call.reads.clear()
        for revision in range(42, 142):
            load(flags, revision)
            await asyncio.sleep(0)
        call.reads.set()
        await heard(call, 141)
        assert len(events(call)) <= 4
    monkeypatch.setattr(ofrep_streams, "WRITE_S", 0.01)
    call = listener()
    task = asyncio.ensure_future(app(call.scope, call.receive, Stalled(call).send))
    async with asyncio.timeout(10):
        await task
    assert call.transport.aborted


class Stalled:
    """What `send` belongs to under uvicorn: the head goes out, nothing after it."""

    def __init__(self, call: Call) -> None:
        self.transport = call.transport
        self._call = call

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()
        self._call.messages.append(message)


async def test_streams_are_bounded_in_all_and_for_a_token(
    app: Ofrep, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(app, listener()) as open_one:
        await heard(open_one, 41)
        monkeypatch.setattr(ofrep_streams, "MAX_STREAMS_OF_A_TOKEN", 1)
        call = await listener().to(app)
        assert (call.status, call.answered["retry-after"]) == (429, "5")
        monkeypatch.setattr(ofrep_streams, "MAX_STREAMS", 1)
        assert (await listener(address_for(9, NOW)).to(app)).status == 503
    async with listening(app, listener()) as call:
        await heard(call, 41)
