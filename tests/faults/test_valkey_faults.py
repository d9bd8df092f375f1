"""A Valkey that is slow, and two that are full: each raises its alert once, shows, and clears."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from django.test import override_settings

from monitoring import valkey
from monitoring.models import Alert
from tests.faults.conftest import See
from tests.faults.scene import Scene, slowed
from tests.services import CLUSTER, FOLDER

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unseen")]


@pytest.mark.usefixtures("impatient")
def test_a_cache_that_is_slow_is_missed_and_one_that_is_a_little_slow_is_not(see: See) -> None:
    delay_s = 0.02
    folder = Path(tempfile.mkdtemp(dir=FOLDER))
    with slowed(CLUSTER.cache.socket, folder / "slow", lambda: delay_s) as address:
        valkey.client.cache_clear()
        try:
            with override_settings(REDIS_URL=address):
                scene = Scene()
                for _ in range(4):
                    scene.look()
                assert not Alert.objects.exists()
                # More than anybody waits for an answer.
                delay_s = 0.4
                alert = scene.until("cache.down", "firing", most=5)
                assert (alert.severity, alert.told) == ("critical", "critical")
                assert "Valkey unreachable" in see("/caches/")
                delay_s = 0.0
                scene.until("cache.down", "cleared", most=30)
                scene.told_once("cache.down")
                assert "Valkey unreachable" not in see("/caches/")
        finally:
            valkey.client().connection_pool.disconnect()
            valkey.client.cache_clear()


@contextmanager
def full(url: str) -> Iterator[None]:
    """A server that has reached its most, and evicts nothing."""
    server: Any = redis.Redis.from_url(url.replace("redis+socket", "unix"))
    names = ("maxmemory", "maxmemory-policy")
    before = {name: server.config_get(name)[name] for name in names}
    try:
        for _ in range(64):
            server.rpush("ballast", b"x" * 65_536)
        server.config_set("maxmemory-policy", "noeviction")
        # Well below: what clients are sent counts too, for a moment.
        server.config_set("maxmemory", server.info("memory")["used_memory"] - (1 << 20))
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            server.set("one more", b"1")
        yield
    finally:
        server.delete("ballast")
        for name, value in before.items():
            server.config_set(name, value)
        server.close()


def test_a_cache_that_is_full_and_evicts_nothing(see: See) -> None:
    scene = Scene()
    scene.look()
    with full(CLUSTER.cache.url):
        alert = scene.until("cache.down", "firing", most=5)
        assert alert.words.endswith("answers and takes nothing: it is full.")
        # Nobody can tell of itself there: that is no fault of workers.
        told = Alert.objects.exclude(rule="cache.down").exclude(told="")
        assert not told.exists()
        assert "Valkey takes nothing: it is full" in see("/caches/")
    scene.until("cache.down", "cleared")
    scene.told_once("cache.down")
    assert "takes nothing" not in see("/caches/")


def test_a_broker_that_is_full(see: See) -> None:
    scene = Scene()
    scene.look()
    with full(CLUSTER.broker.broker_url):
        alert = scene.until("broker.memory", "firing", most=10)
        scene.look()
        assert alert.words.startswith("The broker holds ")
        words = alert.words.removeprefix("The broker ").removesuffix(".")
        assert f"from the broker, which {words}" in see("/workers/")
    scene.until("broker.memory", "cleared")
    scene.told_once("broker.memory")
    assert "which holds" not in see("/workers/")
