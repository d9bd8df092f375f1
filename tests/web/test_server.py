"""The web process as it is deployed: uvicorn, real servers, a real session."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from console.embedded.cluster import Cluster
from tests.services import process_environment
from validation.models import Run

pytestmark = [pytest.mark.django_db(transaction=True)]
ROOT = Path(__file__).resolve().parents[2]
# Uvicorn's own with open streams: so long that no machine's stall is taken for it.
_PATIENCE_S = 60
# How soon a process is at its end that waits for no stream.
_SOON_S = 5.0


class Server:
    """One uvicorn on a port of its own, on the database of the test."""

    def __init__(self, cluster: Cluster, **environment: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        name = connection.settings_dict["NAME"]
        url = cluster.dsn.replace("/postgres?", f"/{name}?").replace("/switchyard?", f"/{name}?")
        command = [sys.executable, "-m", "uvicorn", "console.asgi:application"]
        command += ["--port", str(self.port), "--no-proxy-headers", "--log-level", "warning"]
        self.process = subprocess.Popen(
            [*command, "--timeout-graceful-shutdown", str(_PATIENCE_S)],
            env=process_environment(cluster) | {"DATABASE_URL": url} | environment,
            cwd=ROOT,
        )

    async def ask(self, path: str, **headers: str) -> tuple[asyncio.StreamReader, int, str]:
        """(what follows, status, headers) of one GET on a connection of its own."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        self.kept = [*getattr(self, "kept", []), writer]  # closed with the server
        return reader, int(head.split()[1]), head

    async def listening(self) -> None:
        async with asyncio.timeout(60):
            while True:
                try:
                    await self.ask("/livez")
                except OSError:
                    assert self.process.poll() is None
                    await asyncio.sleep(0.05)
                else:
                    return

    def close(self) -> None:
        for writer in getattr(self, "kept", []):
            writer.transport.abort()
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(15)


@asynccontextmanager
async def serving(services: Cluster) -> AsyncIterator[Server]:
    started = Server(services, TRUSTED_PROXIES="")
    try:
        await started.listening()
        yield started
    finally:
        started.close()


@pytest.fixture
async def server(services: Cluster) -> AsyncIterator[Server]:
    async with serving(services) as started:
        yield started


# Plain fixtures: a thread's own database connection would outlive the test.
@pytest.fixture
def cookie(transactional_db: None) -> str:
    browser = Client()
    browser.force_login(User.objects.create_superuser("ada"))
    return f"sessionid={browser.cookies['sessionid'].value}"


@pytest.fixture
def run(transactional_db: None) -> Run:
    return Run.objects.create(state="running", title="seen", total=3, origin="api")


async def test_live_data_reaches_a_browser_and_sigterm_ends_it_at_once(
    cookie: str, run: Run, services: Cluster
) -> None:
    took_s = list[float]()
    while len(took_s) < 3 and min(took_s, default=_SOON_S) >= _SOON_S:  # the machine may stall
        async with serving(services) as server:
            took_s.append(await end_s(server, cookie, run))
    # None of uvicorn's patience is needed.
    assert min(took_s) < _SOON_S, took_s


async def end_s(server: Server, cookie: str, run: Run) -> float:
    """Seconds from SIGTERM to the process's end, while a browser looks on."""
    stream, status, head = await server.ask(f"/events?topics=run:{run.pk}", Cookie=cookie)
    assert status == 200
    assert "text/event-stream" in head
    async with asyncio.timeout(30):
        await stream.readuntil(b'hx-target="#run-')
        began = time.perf_counter()
        os.kill(server.process.pid, signal.SIGTERM)
        assert (await stream.read()).endswith(b"0\r\n\r\n")
    assert await asyncio.to_thread(server.process.wait, _PATIENCE_S / 2) in {0, -signal.SIGTERM}
    return time.perf_counter() - began


async def test_pages_health_and_refusals_as_deployed(server: Server) -> None:
    _, status, head = await server.ask("/validations/")
    assert (status, "location: /sign-in/?next=/validations/" in head) == (302, True)
    reader, status, head = await server.ask("/readyz?verbose")
    assert status == 200, await reader.read(500)
    assert (await server.ask("/events?topics=runs"))[1] == 401
    _, status, head = await server.ask("/sign-in/", **{"X-Forwarded-Proto": "https"})
    assert status == 200
    assert "script-src 'self'" in head
