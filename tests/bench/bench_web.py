"""Pages and streams: our thread pool beside Django's own ASGI handler, and what a stream costs."""

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import django
import psutil
import uvloop

from tests import services
from tests.bench.lines import interleaved, show

CLIENTS = 64
SECONDS = 2.0
STREAMS = int(os.environ.get("BENCH_STREAMS", "1000"))
APPS = {"ours": "console.asgi:application", "Django ASGI": "tests.bench.peer_web:application"}


def main() -> None:
    with services.CLUSTER:
        cookie, address = _prepare()
        with _served(APPS["ours"]) as ours, _served(APPS["Django ASGI"]) as peer:
            ports = {"ours": ours[0], "Django ASGI": peer[0]}
            for port in ports.values():  # templates compile, connections open
                uvloop.run(_load(port, address, cookie, clients=2, seconds=0.5))
            _pages(ports, cookie, address)
            _livez(ports)
        with _served(APPS["ours"]) as (port, pid):
            _streams(port, pid, cookie, address)


def _prepare() -> tuple[str, str]:
    """A signed-in session and a run with results to show: (cookie, address of its page)."""
    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client

    from validation.models import CheckProfile, Chunk, Item, Result, Run

    call_command("migrate", verbosity=0)
    run = Run.objects.create(state="running", title="bench", total=400, origin="cli")
    Chunk.objects.create(run=run, first=0, size=200, state="done", valid=200)
    Item.objects.bulk_create(Item(run=run, ordinal=n, subject=f"block:{n}") for n in range(400))
    profile = CheckProfile.objects.create(text="answered:pass hash:pass")
    valid = {"verdict": "valid", "level": 2, "reason": "ok", "ms": 1.5, "profile": profile}
    Result.objects.bulk_create(
        Result(run=run, ordinal=n, subject=f"block:{n}", **valid) for n in range(200)
    )
    browser = Client()
    browser.force_login(User.objects.create_superuser("bench"))
    return f"sessionid={browser.cookies['sessionid'].value}", "/workers/"


@contextmanager
def _served(app: str) -> Iterator[tuple[int, int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--no-access-log"]
    command += ["--no-proxy-headers", "--log-level", "error", "--timeout-graceful-shutdown", "5"]
    environment = services.process_environment(services.CLUSTER)
    server = subprocess.Popen([*command, "--backlog", "8192"], env=environment)
    try:
        _await_port(port, server)
        yield port, server.pid
    finally:
        server.terminate()
        server.wait(15)


def _await_port(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if server.poll() is not None:
            raise SystemExit("the server ended before it listened")
        time.sleep(0.1)
    raise SystemExit("the server did not listen within a minute")


def _pages(ports: dict[str, int], cookie: str, address: str) -> None:
    slowest: dict[str, list[float]] = {name: [] for name in ports}

    def measure(name: str) -> float:
        rate, p99 = uvloop.run(_load(ports[name], address, cookie))
        slowest[name].append(p99)
        return rate

    rates = interleaved({name: lambda name=name: measure(name) for name in ports})  # type: ignore[misc]
    what = f"page {address}, {CLIENTS} clients"
    show(what, rates, unit="/s", goal="≥ 800/s a worker")
    p99s = {name: statistics.median(values) * 1000 for name, values in slowest.items()}
    show(f"{what}, p99", p99s, unit="ms", goal="< 80 ms")


def _livez(ports: dict[str, int]) -> None:
    rate, p99 = uvloop.run(_load(ports["ours"], "/livez", ""))
    show("/livez", {"ours": rate, "p99 ms": p99 * 1000}, unit="/s", goal="no thread, no Django")


async def _load(
    port: int, address: str, cookie: str, *, clients: int = CLIENTS, seconds: float = SECONDS
) -> tuple[float, float]:
    request = f"GET {address} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode()
    took: list[float] = []
    ends = time.perf_counter() + seconds

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (started := time.perf_counter()) < ends:
            writer.write(request)
            # What is refused for want of threads (503) is no page: it counts as nothing.
            if await _answer(reader) == 200:
                took.append(time.perf_counter() - started)
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return len(took) / seconds, sorted(took)[int(len(took) * 0.99)] if took else float("inf")


async def _answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head.split(b" ", 2)[1])
    if status not in {200, 503}:
        raise SystemExit(f"not a page: {head[:200]!r}")
    if b"content-length: " in head:
        await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
        return status
    while await reader.readuntil(b"\r\n") != b"0\r\n":
        await reader.readuntil(b"\r\n")
    await reader.readuntil(b"\r\n")
    return status


def _streams(port: int, pid: int, cookie: str, address: str) -> None:
    """Memory a stream, and how fast a page still is beside them."""
    server = psutil.Process(pid)
    uvloop.run(_load(port, address, cookie, clients=8))
    before = server.memory_info().rss

    async def listen() -> tuple[float, float]:
        request = "GET /events?topics=workers HTTP/1.1\r\nHost: localhost\r\nCookie: {}\r\n\r\n"
        opened = []
        for n in range(STREAMS):
            user = f"sessionid={_cookies[n % len(_cookies)]}"
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**16)
            writer.write(request.format(user).encode())
            opened.append((reader, writer))
            if n % 50 == 49:
                await asyncio.gather(
                    *(reader.readuntil(b"data: live") for reader, _ in opened[-50:])
                )
        await asyncio.sleep(6)
        grown = server.memory_info().rss - before
        started = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        page_request = f"GET {address} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n"
        writer.write(page_request.encode())
        await _answer(reader)
        page = time.perf_counter() - started
        for _, open_writer in opened:
            open_writer.close()
        return grown / STREAMS / 1024, page * 1000

    _cookies = _sessions(-(-STREAMS // 20))
    each, page = asyncio.run(listen())
    show(f"{STREAMS} open streams", {"ours": each}, unit="KB each", goal="≤ 16 KB")
    show("a page beside them", {"ours": page}, unit="ms", goal="< 50 ms")


def _sessions(count: int) -> list[str]:
    from django.contrib.auth.models import User
    from django.test import Client

    keys = []
    for n in range(count):
        browser = Client()
        browser.force_login(User.objects.create(username=f"listener-{n}"))
        keys.append(browser.cookies["sessionid"].value)
    return keys


if __name__ == "__main__":
    main()
