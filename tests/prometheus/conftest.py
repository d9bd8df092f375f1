"""One whole console for all of them, and a Prometheus that scrapes it."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from console.embedded.cluster import Cluster
from console.embedded.postgres import FAST
from tests.browser.stack import Stack, free_port
from tests.services import FOLDER, process_environment
from validation.devnode.chain import Chain

ITEMS = 50
_SECRET = """
from django.contrib.auth.models import User
from console.access.tokens import create_token
print(create_token(User.objects.get(username="the-operator"), "prometheus", "operator")[1])
"""
_WAIT_S = 40.0


@dataclass(frozen=True, kw_only=True)
class Console:
    """A stack that has done a run, and what opens it."""

    stack: Stack
    token: str
    prometheus_port: int
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=10))

    def ask(self, path: str, **headers: str) -> httpx.Response:
        own = {"Authorization": f"Bearer {self.token}"}
        return self.client.get(f"{self.stack.url}{path}", headers=own | headers)

    def metrics(self, accept: str = "") -> str:
        answer = self.ask("/metrics", Accept=accept)
        assert answer.status_code == 200
        return answer.text


def until(ask: Callable[[], Any]) -> Any:
    """What `ask` says once it says something: other processes have no other sign."""
    ends = time.monotonic() + _WAIT_S
    while time.monotonic() < ends:
        if found := ask():
            return found
        time.sleep(0.1)
    raise AssertionError(f"Nothing within {_WAIT_S:g} s.")


@pytest.fixture(scope="session")
def living(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    place = Path(tempfile.mkdtemp(dir=FOLDER))
    place.chmod(0o755)  # servers that root starts run as another user
    port = free_port()
    with Cluster.under(place, settings=FAST) as cluster:
        environment = process_environment(cluster)
        environment |= {"PROMETHEUS_URL": f"http://127.0.0.1:{port}"}
        stack = Stack(environment=environment, folder=tmp_path_factory.mktemp("prometheus"))
        try:
            stack.start()
            console = Console(stack=stack, token=_token(stack), prometheus_port=port)
            _validate(console)
            yield console
            console.client.close()
        finally:
            stack.stop()


def _token(stack: Stack) -> str:
    said = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v0", "-c", _SECRET],
        env=stack.environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return said.stdout.strip()


def _validate(console: Console) -> None:
    """A run whose figures have reached `/metrics`: every part has something to tell then."""
    items = [f"tx:{one}" for one in Chain.load().transactions[:ITEMS]]
    url = f"{console.stack.url}/api/v1/runs"
    headers = {"Authorization": f"Bearer {console.token}"}
    started = console.client.post(url, json={"items": items}, headers=headers)
    assert started.status_code == 202, started.text
    run = started.json()["id"]
    until(lambda: console.ask(f"/api/v1/runs/{run}").json()["state"] not in {"running", "draft"})
    until(lambda: "switchyard_validations_total{" in console.metrics())
    until(lambda: 'switchyard_collected_up{source="postgres"} 1.0' in console.metrics())
    # Each process tells in its own time.
    told = (
        "breaker_calls_total",
        "node_latency_p95_seconds",
        "http_request_duration_seconds_count",
    )
    for name in told:
        until(lambda name=name: f"switchyard_{name}{{" in console.metrics())  # type: ignore[misc]
