"""The connection to Valkey: commands of a tick together, answers in order, and no patience."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvloop

from tests.cache.conftest import OwnValkey
from tests.cache.tiers import until
from validation.cache.valkey import (
    Address,
    ValkeyGone,
    ValkeyRefused,
    ValkeyShut,
    Wire,
    command,
    dial,
)
from validation.resilience import Rejected, State

type Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Gate:
    def __init__(self) -> None:
        self.admitted = 0
        self.settled: list[BaseException | None] = []
        self.is_shut = False
        self.state = State.CLOSED

    def admits(self) -> bool:
        return not self.is_shut

    def admit(self) -> object:
        if self.is_shut:
            raise Rejected("l2", 1.0, False)
        self.admitted += 1
        return object()

    def settle(self, permit: Any, *, error: BaseException | None = None, duration_s: float) -> None:
        assert duration_s >= 0
        self.settled.append(error)


class Server:
    """Anything that listens on loopback; `heard` is what each write brought."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.answers: list[bytes] = []
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> Address:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return Address(host="127.0.0.1", port=self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        while data := await reader.read(1 << 20):
            self.heard.append(data)
            for answer in self.answers:
                writer.write(answer)

    async def stop(self) -> None:
        for writer in self._writers:
            writer.close()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    yield server
    await server.stop()


async def connected(server: Server, gate: Gate, *, timeout_s: float = 5.0) -> Wire:
    return await dial(await server.start(), gate, timeout_s=timeout_s, connect_s=5.0)


async def test_commands_of_a_tick_leave_in_one_write_under_one_permit(server: Server) -> None:
    gate = Gate()
    wire = await connected(server, gate)
    server.answers = [b"+1\r\n$1\r\n2\r\n", b":3\r\n*2\r\n$-1\r\n:4\r\n"]
    asked = [wire.ask(command("GET", f"{n}")) for n in range(4)]
    assert [await answer for answer in asked] == [b"1", b"2", 3, [None, 4]]
    assert len(server.heard) == 1
    assert (gate.admitted, gate.settled) == (1, [None])
    wire.close("done")


async def test_an_error_is_that_of_one_command(server: Server) -> None:
    gate = Gate()
    wire = await connected(server, gate)
    server.answers = [b"-WRONGTYPE no text\r\n+fine\r\n-OOM full\r\n"]
    refused, fine = wire.ask(command("A")), wire.ask(command("B"))
    wire.tell(command("C"))
    with pytest.raises(ValkeyRefused, match="WRONGTYPE"):
        await refused
    assert await fine == b"fine"
    assert wire.refused == 1
    assert gate.settled == [None]
    wire.close("done")


async def test_silence_ends_the_connection_and_is_settled_once(server: Server) -> None:
    gate = Gate()
    wire = await connected(server, gate, timeout_s=0.04)
    started = time.monotonic()
    asked = [wire.ask(command("GET", "a")) for _ in range(3)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(error) for error in found] == [ValkeyGone] * 3
    assert 0.04 <= time.monotonic() - started < 0.5
    assert [type(error) for error in gate.settled] == [ValkeyGone]
    assert ValkeyGone.trips_breaker
    with pytest.raises(ValkeyShut):
        wire.ask(command("GET", "a"))
    with pytest.raises(ValkeyGone):
        wire.probe(command("GET", "a"))


def test_a_loop_that_was_held_up_does_not_take_it_for_silence(own_valkey: OwnValkey) -> None:
    """A large answer takes many turns to read, the first of which finds that time is up."""
    large = b"x" * (4 << 20)

    async def hold_up() -> object:
        address = Address.parse(own_valkey.url)
        wire = await dial(address, Gate(), timeout_s=5.0, connect_s=5.0)
        await wire.probe(command("SET", "large", large))
        wire.close("done")
        wire = await dial(address, Gate(), timeout_s=0.04, connect_s=5.0)
        asked = wire.ask(command("GET", "large"))
        await asyncio.sleep(0)  # it is sent
        await asyncio.sleep(0)
        time.sleep(0.1)  # noqa: ASYNC251 - by whatever works on an item
        try:
            return await asked
        finally:
            wire.close("done")

    assert uvloop.run(hold_up()) == large


async def test_an_answer_that_never_ends_ends_the_connection(server: Server) -> None:
    wire = await connected(server, Gate(), timeout_s=0.04)
    server.answers = [b"$1000\r\n"]
    asked = wire.ask(command("GET", "a"))
    await until(lambda: bool(server.heard), what="it is asked")

    async def drip() -> None:
        while wire.is_open:
            server._writers[0].write(b".")
            await asyncio.sleep(0.01)

    dripping = asyncio.create_task(drip())
    started = time.monotonic()
    with pytest.raises(ValkeyGone):
        await asyncio.wait_for(asked, 10)
    assert time.monotonic() - started > 0.5  # it may be large, and on its way
    await dripping


@pytest.mark.parametrize("rubbish", [b"HTTP/1.1 400 Bad Request\r\n", b"+1\r\n+2\r\n", b"\0" * 64])
async def test_what_is_no_answer_ends_the_connection(server: Server, rubbish: bytes) -> None:
    gate = Gate()
    wire = await connected(server, gate)
    server.answers = [rubbish]
    asked = wire.ask(command("GET", "a"))
    await asyncio.gather(asked, return_exceptions=True)
    await until(lambda: not wire.is_open, what="it is given up")
    assert len(gate.settled) == 1


async def test_a_shut_gate_lets_only_probes_pass(server: Server) -> None:
    gate = Gate()
    wire = await connected(server, gate)
    server.answers = [b"+1\r\n"]
    gate.is_shut = True
    with pytest.raises(ValkeyShut):
        wire.ask(command("GET", "a"))
    assert await wire.probe(command("GET", "a")) == b"1"
    assert gate.settled == []
    wire.close("done")


async def test_what_was_admitted_before_it_was_forced_open_does_not_leave(server: Server) -> None:
    gate = Gate()
    wire = await connected(server, gate)
    asked, probed = wire.ask(command("GET", "a")), wire.probe(command("GET", "b"))
    wire.tell(command("GET", "c"))
    gate.is_shut, gate.state = True, State.FORCED_OPEN  # in the same tick
    found = await asyncio.gather(asked, probed, return_exceptions=True)
    assert [type(error) for error in found] == [ValkeyShut] * 2
    assert [type(error) for error in gate.settled] == [ValkeyShut]
    assert not ValkeyShut.trips_breaker
    gate.is_shut, gate.state = False, State.CLOSED
    server.answers = [b"+1\r\n"]
    assert await wire.ask(command("GET", "d")) == b"1"  # and no answer goes to the wrong one
    assert [b"d" in heard for heard in server.heard] == [True]
    wire.close("done")


async def test_who_leaves_disturbs_nobody(server: Server) -> None:
    wire = await connected(server, Gate())
    left, stays = wire.ask(command("A")), wire.ask(command("B"))
    left.cancel()
    server.answers = [b"+1\r\n+2\r\n"]
    assert await stays == b"2"
    wire.close("done")


async def test_a_password_and_a_database_are_told_first(own_valkey: OwnValkey) -> None:
    plain = Address.parse(own_valkey.url)
    wire = await dial(plain, Gate(), timeout_s=2.0, connect_s=5.0)
    await wire.probe(command("CONFIG", "SET", "requirepass", "se/cret"))
    wire.close("done")
    wire = await dial(plain, Gate(), timeout_s=2.0, connect_s=5.0)
    with pytest.raises(ValkeyRefused):
        await wire.probe(command("GET", "a"))
    wire.close("done")
    url = own_valkey.url.replace("unix://", "unix://:se%2Fcret@") + "?db=3"
    wire = await dial(Address.parse(url), Gate(), timeout_s=2.0, connect_s=5.0)
    await wire.probe(command("SET", "a", "3"))
    await wire.probe(command("SELECT", 0))
    assert await wire.probe(command("GET", "a")) is None
    wire.close("done")
    wrong = Address.parse(url.replace("se%2Fcret", "wrong"))
    with pytest.raises(ValkeyRefused):
        await dial(wrong, Gate(), timeout_s=2.0, connect_s=5.0)


class TestAddress:
    def test_the_three_schemes(self) -> None:
        assert Address.parse("unix:///run/v.sock?db=2") == Address(path="/run/v.sock", db=2)
        assert Address.parse("redis://h:7/4") == Address(host="h", port=7, db=4)
        assert Address.parse("rediss://u:p@h") == Address(
            host="h", tls=True, user="u", password="p"
        )

    def test_it_never_shows_what_it_takes_to_get_in(self) -> None:
        address = Address.parse("redis://somebody:se%2Fcret@h:7/4")
        assert address.password == "se/cret"
        assert "se/cret" not in repr(address) + address.label
        assert "somebody" not in repr(address) + address.label

    @pytest.mark.parametrize(
        "url", ["http://:secret@h", "amqp://:secret@h", "redis://:secret@h/x", "secret"]
    )
    def test_others_are_refused_without_repeating_them(self, url: str) -> None:
        with pytest.raises(ValueError, match="the cache server's URL") as refused:
            Address.parse(url)
        assert "secret" not in str(refused.value)
