"""OFREP over real HTTP, one web process: single evaluations beside bare ASGI, and all flags."""

import asyncio
import json
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

CLIENTS = int(os.environ.get("BENCH_CLIENTS", "32"))
SECONDS = 2.0
BULK = "/ofrep/v1/evaluate/flags"
APPS = {"ours": "console.asgi:application", "bare ASGI": "tests.bench.peer_ofrep:application"}
_CONTEXT = {"plan": "gold", "country": "CA", "beta": True, "age": 41}


def main() -> None:
    with services.CLUSTER:
        token = _prepare()
        with _served(APPS["ours"]) as ours, _served(APPS["bare ASGI"]) as floor:
            ports = {"ours": ours[0], "bare ASGI": floor[0]}
            _settle(ports["ours"], token)
            _single(ports, token, {"ours": ours[1], "bare ASGI": floor[1]})
            _all(ports["ours"], token)


def _prepare() -> str:
    """A token, and a flag that half of all keys have."""
    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command

    from console.access.tokens import create_token
    from console.flags.models import Flag

    call_command("migrate", verbosity=0)
    names = {"old": "old", "new": "new"}
    stands = {"baseline": "old", "rest": "old", "target": "new", "stage": 50, "unit": "item"}
    Flag.objects.create(key="bench", title="bench", type="string", variants=names, **stands)
    return create_token(User.objects.create_superuser("bench"), "bench", "viewer")[1]


@contextmanager
def _served(app: str) -> Iterator[tuple[int, int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--no-access-log"]
    command += ["--loop", "uvloop", "--http", "httptools", "--no-proxy-headers"]
    environment = services.process_environment(services.CLUSTER)
    server = subprocess.Popen([*command, "--log-level", "error"], env=environment)
    try:
        yield port, server.pid
    finally:
        server.terminate()
        server.wait(15)


def _settle(port: int, token: str) -> None:
    """Until the flags were read: at first nothing listens, then nothing is known."""
    for _ in range(600):
        try:
            rate, _ = uvloop.run(_load(port, _requests(token), clients=2, seconds=0.2))
        except OSError:
            rate = 0.0
        if rate:
            return
        time.sleep(0.1)
    raise SystemExit("no flag was evaluated within a minute")


def _requests(token: str, path: str = f"{BULK}/bench", tag: str = "") -> list[bytes]:
    """Of a hundred different people."""
    found = []
    for n in range(100):
        body = json.dumps({"context": {"targetingKey": f"person-{n}", **_CONTEXT}})
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        head += f"If-None-Match: {tag}\r\n" if tag else ""
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        found.append(f"{head}{body}".encode())
    return found


def _single(ports: dict[str, int], token: str, pids: dict[str, int]) -> None:
    slowest: dict[str, list[float]] = {name: [] for name in ports}
    spent: dict[str, list[float]] = {name: [] for name in ports}

    def measure(name: str) -> float:
        before = _cpu_s(pids[name])
        rate, p99 = uvloop.run(_load(ports[name], _requests(token)))
        spent[name].append((_cpu_s(pids[name]) - before) / (rate * SECONDS) * 1e6)
        slowest[name].append(p99 * 1000)
        return rate

    rates = interleaved({name: lambda name=name: measure(name) for name in ports})  # type: ignore[misc]
    what = f"one flag, {CLIENTS} clients"
    show(what, rates, unit="/s", goal="≥ 1,500/s a worker")
    p99s = {name: statistics.median(values) for name, values in slowest.items()}
    show(f"{what}, p99", p99s, unit="ms", goal="near the floor's")
    cost = {name: statistics.median(values) for name, values in spent.items()}
    show("one flag, the server's processor time", cost, unit="µs", goal="< 667 µs")


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _all(port: int, token: str) -> None:
    rate, p99 = uvloop.run(_load(port, _requests(token, BULK)))
    show("all flags", {"ours": rate, "p99 ms": p99 * 1000}, unit="/s", goal="told")


async def _load(
    port: int, requests: list[bytes], *, clients: int = CLIENTS, seconds: float = SECONDS
) -> tuple[float, float]:
    took: list[float] = []
    ends = time.perf_counter() + seconds

    async def client(first: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        n = first
        while (started := time.perf_counter()) < ends:
            n += 1
            writer.write(requests[n % len(requests)])
            if await _answer(reader) == 200:
                took.append(time.perf_counter() - started)
        writer.close()

    await asyncio.gather(*(client(n) for n in range(clients)))
    return len(took) / seconds, sorted(took)[int(len(took) * 0.99)] if took else float("inf")


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    if status not in {200, 404, 503}:  # the latter two while no flags are known yet
        raise SystemExit(f"no evaluation: {head[:200]!r}")
    await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
    return status


if __name__ == "__main__":
    main()
