"""`/events`: who may listen, to what, how many, and how a stream ends."""

import asyncio
from collections.abc import Iterator, Mapping
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client as Browser

from console import sse
from console.access.roles import Role
from console.hub import Hub
from console.sse import Events, UnknownTopic, Viewer, identify, parse_last_event_id, parse_topics
from tests.web.conftest import Call

VIEWER = Viewer(7, Role.VIEWER, "key")


def show(argument: str, role: Role, /) -> Mapping[str, str]:
    return {"region": f"{argument}:{role}"}


@pytest.fixture(autouse=True)
def topics() -> Iterator[None]:
    with patch.dict(sse._topics, clear=True):
        sse.topic("list", show)
        sse.topic("one", show, takes_argument=True)
        sse.topic("breaker", show, takes_argument=True, argument=sse.NAME)
        yield


@pytest.fixture
def events() -> Events:
    return Events(Hub(), identify=lambda key: VIEWER if key == "key" else None)


def listen(query: str = "topics=list", cookie: str = "sessionid=key", **headers: str) -> Call:
    return Call("/events", query=query, headers={"Cookie": cookie, **headers})


def test_topics_are_named_once_each_with_their_argument() -> None:
    found = parse_topics("list,one:17,list")
    assert {name: argument for name, (argument, _) in found.items()} == {"list": "", "one:17": "17"}


@pytest.mark.parametrize("name", ["l2", "node:127.0.0.1:8545:lookup", "node:[::1]:1~2:block"])
def test_a_topic_may_take_a_breakers_name(name: str) -> None:
    ((argument, _),) = parse_topics(f"breaker:{name}").values()
    assert argument == name


@pytest.mark.parametrize("name", ["", "a b", "a=b", "x" * 161, "a/b", "a#b"])
def test_what_is_no_breakers_name_is_no_topic(name: str) -> None:
    with pytest.raises(UnknownTopic):
        parse_topics(f"breaker:{name}")


@pytest.mark.parametrize(
    "text",
    ["", ",", "nothing", "one", "one:", "one:x", "one:-1", "one:0", "list:1", "one:" + "9" * 19],
)
def test_what_is_no_topic_is_named(text: str) -> None:
    with pytest.raises(UnknownTopic):
        parse_topics(text)


def test_topics_are_bounded() -> None:
    with pytest.raises(UnknownTopic, match="1 to 8"):
        parse_topics(",".join(f"one:{n}" for n in range(1, 10)))


def test_the_last_event_id_is_read_and_nonsense_is_nothing() -> None:
    assert parse_last_event_id("list=ab,one:17=cd") == {"list": "ab", "one:17": "cd"}
    assert parse_last_event_id("17") == {}
    assert len(parse_last_event_id("a=b," * 100_000)) == 1


async def test_a_signed_in_viewer_listens(events: Events) -> None:
    call = listen("topics=list,one:17")
    stream = asyncio.create_task(call.to(events))
    text = await call.until("17:viewer")
    assert call.status == 200
    assert call.answered["content-type"].startswith("text/event-stream")
    assert call.answered["cache-control"] == "no-store"
    assert text.startswith("retry: ")
    assert 1_000 <= int(text.split()[1]) < 5_000
    call.gone.set()
    await stream


@pytest.mark.parametrize("cookie", ["", "sessionid=", "sessionid=stolen", 'a"b', "other=key"])
async def test_nobody_else_does(events: Events, cookie: str) -> None:
    call = await listen(cookie=cookie).to(events)
    assert call.status == 401


async def test_an_unknown_topic_is_refused_by_name(events: Events) -> None:
    call = await listen("topics=list,secrets").to(events)
    assert call.status == 400
    assert "'secrets'" in call.text


async def test_only_get(events: Events) -> None:
    assert (await Call("/events", "POST").to(events)).status == 405


async def test_one_person_has_at_most_twenty(events: Events) -> None:
    calls = [listen() for _ in range(sse.MAX_STREAMS_OF_A_USER)]
    streams = [asyncio.create_task(call.to(events)) for call in calls]
    for call in calls:
        await call.until("event: hello")
    refused = await listen().to(events)
    assert refused.status == 429
    assert refused.answered["retry-after"]
    calls[0].gone.set()
    await streams[0]
    again = listen()
    streams.append(asyncio.create_task(again.to(events)))
    await again.until("event: hello")
    for call in (*calls, again):
        call.gone.set()
    await asyncio.gather(*streams)


async def test_a_process_has_a_bounded_number(
    events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "MAX_STREAMS", 1)
    call = listen()
    stream = asyncio.create_task(call.to(events))
    await call.until("event: hello")
    refused = await listen().to(events)
    assert refused.status == 503
    assert refused.answered["retry-after"]
    call.gone.set()
    await stream


async def test_a_database_that_is_away_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_key: str) -> None:
        raise OperationalError

    assert (await listen().to(Events(Hub(), identify=away))).status == 503


async def test_a_shutdown_ends_every_stream_in_good_order(events: Events) -> None:
    calls = [listen() for _ in range(5)]
    streams = [asyncio.create_task(call.to(events)) for call in calls]
    for call in calls:
        await call.until("region")
    events._hub.end()
    async with asyncio.timeout(5):
        await asyncio.gather(*streams)
    assert all(call.is_complete for call in calls)
    assert not events._hub.clients


async def test_a_sign_out_ends_the_streams_of_its_session_only(events: Events) -> None:
    call = listen()
    stream = asyncio.create_task(call.to(events))
    await call.until("region")
    events._hub.end(session="another")
    assert not stream.cancelling()
    events._hub.end(session="key")
    async with asyncio.timeout(5):
        await stream
    assert call.is_complete


@pytest.mark.django_db(transaction=True)
def test_a_session_is_known_by_its_key_and_no_longer_than_it_is_good() -> None:
    user = User.objects.create_superuser("ada")
    browser = Browser()
    browser.force_login(user)
    key = browser.cookies["sessionid"].value
    assert identify(key) == Viewer(user.pk, Role.ADMIN, key)
    assert identify("x" * 32) is None
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert identify(key) is None
