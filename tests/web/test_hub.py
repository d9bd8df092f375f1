"""Live regions: rendered once for all, sent when they change, resumed, healed, ended."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import redis

from console import hub as hub_module
from console.access.roles import Role
from console.hub import MAX_REGIONS, Channel, Client, Hub, encode
from tests.web.conftest import Call

type Regions = dict[str, str]


class Page:
    """A topic whose content the test writes, and that counts how often it was read."""

    def __init__(self, **regions: str) -> None:
        self.regions: Regions = regions
        self.reads = 0
        self.fails = False
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Event()

    async def read_again(self, times: int) -> None:
        async with asyncio.timeout(10):
            for _ in range(times):
                self._turn.clear()
                await self._turn.wait()

    def __call__(self, argument: str, role: Role, /) -> Mapping[str, str]:
        self.reads += 1
        self._loop.call_soon_threadsafe(self._turn.set)
        if self.fails:
            raise OSError("the database is away")
        return {name: f"{html}{argument}" for name, html in self.regions.items()}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rhythm, a hundred times faster."""
    for name in ("NUDGED_S", "HEALING_S", "BEAT_S", "WRITE_S"):
        monkeypatch.setattr(hub_module, name, getattr(hub_module, name) / 100)

    def follow(_stopped: object) -> list[set[str]]:
        raise redis.ConnectionError

    monkeypatch.setattr("monitoring.events.follow", follow)


@pytest.fixture
async def hub(quick: None) -> AsyncIterator[Hub]:
    made = Hub()
    yield made
    for client in tuple(made.clients):
        made.leave(client)
    made.close()


@pytest.fixture
def joined(hub: Hub) -> Callable[..., tuple[Call, Client]]:
    def join(
        role: Role = Role.VIEWER, resumed: Regions | None = None, **topics: Page
    ) -> tuple[Call, Client]:
        call = Call()
        client = Client(call.send, user=1, session="s", ends_at=float("inf"), resumed=resumed or {})
        hub.join(client, {name: ("", page) for name, page in topics.items()}, role)
        return call, client

    # `text` skips the start of a response; these calls have none.
    def with_start(*args: object, **kwargs: object) -> tuple[Call, Client]:
        call, client = join(*args, **kwargs)  # type: ignore[arg-type]
        call.messages.insert(0, {"type": "http.response.start", "status": 200, "headers": []})
        return call, client

    return with_start


def test_a_region_is_one_event_that_htmx_swaps() -> None:
    body = encode("run-1", "<p>\r\none\ntwo</p>").decode()
    assert body == (
        'data: <hx-partial hx-target="#run-1" hx-swap="outerMorph"><p>\n'
        "data: one\ndata: two</p></hx-partial>\n"
    )


@pytest.mark.parametrize("region", ["", "1a", 'a"b', "a b", "x" * 65])
def test_what_is_no_element_id_is_refused(region: str) -> None:
    with pytest.raises(ValueError, match="element id"):
        encode(region, "")


async def test_a_topic_has_a_bounded_number_of_regions() -> None:
    channel = Channel("t", "", Role.VIEWER, Page())
    with pytest.raises(ValueError, match=f"{MAX_REGIONS} are the most"):
        channel.take({f"r{n}": "" for n in range(MAX_REGIONS + 1)})


async def test_a_new_client_gets_everything_and_then_what_changes(
    joined: Callable[..., tuple[Call, Client]],
) -> None:
    page = Page(a="one", b="two")
    call, _ = joined(t=page)
    await call.until("two")
    before = len(call.text)
    page.regions["b"] = "three"
    text = (await call.until("three"))[before:]
    assert "#b" in text
    assert "#a" not in text


async def test_many_clients_cost_one_rendering(joined: Callable[..., tuple[Call, Client]]) -> None:
    page = Page(a="one")
    first, _ = joined(t=page)
    await first.until("one")
    reads = page.reads
    others = [joined(t=page)[0] for _ in range(50)]
    for call in others:
        await call.until("one")
    assert page.reads - reads <= 5


async def test_each_role_has_its_own_rendering(
    joined: Callable[..., tuple[Call, Client]], hub: Hub
) -> None:
    class ByRole(Page):
        def __call__(self, argument: str, role: Role, /) -> Mapping[str, str]:
            return {"a": str(role)}

    viewer, _ = joined(Role.VIEWER, t=ByRole())
    admin, _ = joined(Role.ADMIN, t=ByRole())
    assert "admin" not in await viewer.until("viewer")
    assert "viewer" not in await admin.until("admin")


async def test_nothing_is_sent_while_nothing_changes(
    joined: Callable[..., tuple[Call, Client]],
) -> None:
    page = Page(a="one")
    call, _ = joined(t=page)
    await call.until("one")
    await page.read_again(5)
    assert call.text.count("#a") == 1


async def test_a_nudge_is_heard_before_the_healing_poll(
    joined: Callable[..., tuple[Call, Client]], hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "HEALING_S", 3600.0)
    page = Page(a="one")
    call, _ = joined(t=page)
    await call.until("one")
    page.regions["a"] = "two"
    hub.nudge({"another"})
    hub.nudge({"t"})
    await call.until("two")


async def test_somebody_who_comes_back_gets_only_what_differs(
    joined: Callable[..., tuple[Call, Client]],
) -> None:
    same, other = Page(a="same"), Page(b="old")
    call, _ = joined(s=same, o=other)
    await call.until("same")
    text = await call.until("old")
    ids = [line[4:] for line in text.splitlines() if line.startswith("id: ")]
    known = dict(pair.split("=") for pair in ids[-1].split(","))
    other.regions["b"] = "new"
    again, _ = joined(resumed=known, s=same, o=other)
    assert "same" not in await again.until("new")


async def test_a_slow_client_gets_the_newest_and_holds_no_queue(
    joined: Callable[..., tuple[Call, Client]], hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "WRITE_S", 60.0)
    page = Page(a="first")
    call, _ = joined(t=page)
    await call.until("first")
    call.reads.clear()
    other, _ = joined(t=page)
    for n in range(5):
        page.regions["a"] = f"step-{n};"
        await other.until(f"step-{n};")
    call.reads.set()
    text = await call.until("step-4;")
    assert text.count("step-") <= 2


async def test_a_client_that_takes_nothing_is_cut_off(
    joined: Callable[..., tuple[Call, Client]], hub: Hub
) -> None:
    page = Page(a="one")
    call, client = joined(t=page)
    await call.until("one")
    call.reads.clear()
    page.regions["a"] = "two"
    await asyncio.wait_for(call.transport.cut.wait(), 10)
    await asyncio.sleep(0)
    assert client.ended


async def test_heartbeats_say_that_what_is_shown_is_fresh(
    joined: Callable[..., tuple[Call, Client]],
) -> None:
    call, _ = joined(t=Page(a="one"))
    assert "data: 20" in await call.until("event: heartbeat")


async def test_an_unreadable_topic_falls_silent_and_heals(
    joined: Callable[..., tuple[Call, Client]], caplog: pytest.LogCaptureFixture
) -> None:
    page = Page(a="one")
    call, _ = joined(t=page)
    await call.until("one")
    page.fails = True
    before = len(await call.until("\n: heartbeat"))
    await call.until(": heartbeat\n\n: heartbeat")
    assert "event: heartbeat" not in call.text[before:]
    assert caplog.text.count("topic_unreadable") == 1
    page.fails = False
    page.regions["a"] = "two"
    await call.until("two")


async def test_nobody_listens_nothing_is_read(
    joined: Callable[..., tuple[Call, Client]], hub: Hub
) -> None:
    page = Page(a="one")
    call, client = joined(t=page)
    await call.until("one")
    hub.leave(client)
    await asyncio.sleep(0)
    reads = page.reads
    assert hub.channels == {}
    other, _ = joined(u=Page(a="x"))
    await other.until("x")
    assert page.reads == reads
