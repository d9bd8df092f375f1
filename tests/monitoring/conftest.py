"""An empty cache server, none at all, and processes that the test counts for."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.test import override_settings
from prometheus_client import CollectorRegistry, Counter

from monitoring import valkey
from monitoring.models import Incarnation
from monitoring.probes import Probes
from monitoring.publisher import Publisher
from monitoring.samples import Sample


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    valkey.client().flushdb()
    yield
    valkey.client().flushdb()


@pytest.fixture
def no_valkey() -> Iterator[None]:
    valkey.client.cache_clear()
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        yield
    valkey.client.cache_clear()


@pytest.fixture
def no_postgres(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    connection.close()
    with monkeypatch.context() as patch:
        patch.setitem(connection.settings_dict, "HOST", "/nowhere")
        yield
    connection.close()


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Process:
    """A process that counts `done` and tells of it when the test says so."""

    def __init__(self, kind: str = "worker") -> None:
        registry = CollectorRegistry(auto_describe=False)
        self.done = Counter("switchyard_rpc_shared_total", "Done.", registry=registry)
        self.clock = Clock()
        self.publisher = Publisher(kind, registry=registry, probes=Probes(), clock=self.clock)


def value(samples: tuple[Sample, ...] | None, name: str, **labels: str) -> float:
    assert samples is not None
    return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())


def shared(samples: tuple[Sample, ...] | None) -> float:
    """What processes of a test have counted, added up."""
    return value(samples, "switchyard_rpc_shared_total")


def pass_time(seconds: int, *processes: Process) -> None:
    """What so many seconds do, without waiting for them: to rows, keys and clocks alike."""
    Incarnation.objects.update(
        folded_at=F("folded_at") - timedelta(seconds=seconds),
        silent_since=F("silent_since") - timedelta(seconds=seconds),
    )
    client = valkey.client()
    for key in client.scan_iter("switchyard:process:*"):
        client.expire(key, client.ttl(key) - seconds)
    for process in processes:
        process.clock.now += seconds
