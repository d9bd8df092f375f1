"""The web process hears of a change within a second, and decides anew; it waits for nobody."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog
from django.conf import settings
from django.db import connections
from openfeature import api

from console.compression import COMPRESSIONS
from console.flags import follower, web
from console.flags.catalogue import API_QUOTAS, EXPORTS_STREAMING
from console.flags.follower import Follower
from console.flags.models import Flag
from console.request_log import REQUEST_LOGS
from monitoring import events
from validation.models import Control, Slot


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Follower]]:
    made: list[Follower] = []

    def build(**wanted: Any) -> Follower:
        found = Follower(web.decide, path=tmp_path / "flags.json", **wanted)
        made.append(found)
        return found

    yield build
    for each in made:
        each.stop()
    web.forget()
    api.clear_providers()


def stand(key: str, revision: int, **columns: Any) -> None:
    Flag.objects.filter(key=key).update(revision=revision, **columns)
    Control.objects.update_or_create(
        kind="flags", name="", defaults={"revision": revision, "reason": "r", "actor": "a"}
    )


def soon(holds: Callable[[], bool], within_s: float) -> float:
    """Seconds until it held."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < within_s, "it did not come to hold"
        time.sleep(0.005)
    return time.monotonic() - began


def refused() -> psycopg.Connection[Any]:
    return psycopg.connect("postgresql://nobody@127.0.0.1:9/nothing", connect_timeout=2)


@pytest.mark.django_db(transaction=True)
def test_a_change_holds_at_once_by_event_and_within_a_second_without(
    make: Callable[..., Follower], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Looks by itself so seldom that only the event can have told it.
    heard = make(every_s=60.0)
    heard.start()
    assert follower.current() is heard.provider
    soon(lambda: heard.provider.age_s is not None, 10)
    assert web.compression().offered == COMPRESSIONS["brotli"]
    soon(lambda: [row.fleet for row in Slot.objects.all()] == ["web"], 5)
    took_s = []
    for revision, stage, offered in ((5, 0, ()), (6, 100, COMPRESSIONS["brotli"]), (7, 0, ())):
        stand("web.compression", revision, stage=stage)
        took_s.append(soon(lambda: _publishes("flags", partial(_offers, offered)), 20))  # noqa: B023
        assert heard.flags.revision == revision
    assert min(took_s) < 1.0, took_s  # the machine may stall in one or another
    heard.stop()
    assert not Slot.objects.exists()

    monkeypatch.setattr(settings, "REDIS_URL", "redis://127.0.0.1:9/0")
    alone = make()
    alone.start()
    soon(lambda: alone.provider.age_s is not None, 10)
    took_s = []
    for revision, variant in ((8, "gzip"), (9, "brotli"), (10, "gzip")):
        stand("web.compression", revision, stage=100, target=variant)
        took_s.append(soon(partial(_offers, COMPRESSIONS[variant]), 20))
    assert min(took_s) < 1.0, took_s


def _offers(offered: object) -> bool:
    return web.compression().offered == offered


def _publishes(topic: str, holds: Callable[[], object]) -> bool:
    """A listener that has not begun hears nothing: said until it is heard."""
    events.publish(topic)
    return bool(holds())


@pytest.mark.django_db(transaction=True)
def test_a_database_that_goes_and_comes_back_is_followed_again(
    make: Callable[..., Follower],
) -> None:
    links: list[psycopg.Connection[Any]] = []
    is_up = True

    def connect() -> psycopg.Connection[Any]:
        if not is_up:
            return refused()
        params = connections["default"].get_connection_params()
        links.append(psycopg.connect(**params, autocommit=True))
        return links[-1]

    found = make(connect=connect)
    stand("exports.streaming", 5, stage=0)
    found.flags.start()
    found.look()
    assert web.decisions().value(EXPORTS_STREAMING) == "buffered"
    is_up = False
    links[0].close()
    stand("exports.streaming", 6, stage=100)
    with structlog.testing.capture_logs() as lines:
        found.look()
        found.look()
    assert [line["event"] for line in lines] == ["flags.database_away"], "said once"
    assert web.decisions().value(EXPORTS_STREAMING) == "buffered"
    assert found.provider.age_s is not None
    is_up = True
    found.look()
    assert web.decisions().value(EXPORTS_STREAMING) == "streamed"
    links[-1].close()


@pytest.mark.django_db(transaction=True)
def test_one_web_process_of_two_has_it_at_half(make: Callable[..., Follower]) -> None:
    stand("web.compression", 5, stage=50, target="gzip")
    values = []
    others = [make(), make()]
    for each in (*others, *others):  # the second time each knows of the other
        each._slots._next_beat = 0.0
        each.flags.start()
        each.look()
        values.append(web.decisions().of["web.compression"])
    assert sorted(values[2:]) == ["gzip", "none"]


def test_without_any_flags_the_code_decides(make: Callable[..., Follower]) -> None:
    found = make(connect=refused)
    found.flags.start()
    found.look()
    assert web.compression().offered == COMPRESSIONS["brotli"]
    assert web.compression().threshold == 1024
    assert web.request_log() is REQUEST_LOGS["failures"]
    assert web.decisions().value(API_QUOTAS) == "leased"


def test_a_variant_of_another_release_is_as_the_code_says() -> None:
    found = web.WebDecisions.by({"web.compression": "zstd", "logging.requests": "none at all"})
    assert found.compression.offered == COMPRESSIONS["brotli"]
    assert found.request_log is REQUEST_LOGS["failures"]


@pytest.mark.django_db
def test_a_command_reads_postgres_each_time() -> None:
    assert follower.current().evaluate("web.compression").variant == "brotli"
    stand("web.compression", 5, stage=0)
    assert follower.current().evaluate("web.compression").variant == "none"


def test_what_nobody_foresaw_is_said_once_and_tried_again(make: Callable[..., Follower]) -> None:
    tries: list[int] = []

    def connect() -> psycopg.Connection[Any]:
        tries.append(1)
        raise AttributeError("no such backend")

    found = make(connect=connect, every_s=0.001)
    with structlog.testing.capture_logs() as lines:
        found.start()
        soon(lambda: len(tries) > 3, 5)
        found.stop()
    assert [line["event"] for line in lines if line["log_level"] == "error"] == [
        "flags.not_followed"
    ]


@pytest.mark.django_db(transaction=True)
def test_a_web_process_that_starts_without_postgres_decides_by_what_held_last(
    make: Callable[..., Follower],
) -> None:
    stand("exports.streaming", 5, stage=0)
    before = make()
    before.look()
    before.stop()
    web.forget()
    api.clear_providers()
    after = make(connect=refused)
    after.flags.start()
    after.look()
    assert web.decisions().value(EXPORTS_STREAMING) == "buffered"
    assert (after.flags.revision, after.provider.age_s) == (5, None)


def test_a_defect_of_events_does_not_end_the_thread_that_hears_them(
    make: Callable[..., Follower], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []

    def follow(_is_over: Callable[[], bool]) -> Iterator[set[str]]:
        heard.append(1)
        if len(heard) < 3:
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "a topic that nobody knows")
        yield {"flags"}

    monkeypatch.setattr(events, "follow", follow)
    monkeypatch.setattr(follower, "_LISTEN_AGAIN_S", 0.01)
    made = make(connect=refused, every_s=60.0)
    with structlog.testing.capture_logs() as logs:
        made.start()
        soon(lambda: len(heard) > 3, within_s=5)
    assert [log["event"] for log in logs].count("flags.not_listened") == 1
