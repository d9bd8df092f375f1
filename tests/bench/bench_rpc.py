"""The RPC client beside httpx, aiohttp and web3.py: CPU a call, round trips, validations a second.

CPU is this process's, so that neither the node nor the machine's other work counts. The floor is
a socket that writes prepared bytes and reads until the answer's length is there.
"""

import asyncio
import itertools
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from time import perf_counter, process_time
from typing import Any

import aiohttp
import httpx
import msgspec
import uvloop
from web3 import AsyncHTTPProvider, AsyncWeb3

from tests.bench.lines import interleaved, show
from tests.services import ROOT
from validation.devnode.chain import Chain
from validation.resilience import Breakers
from validation.rpc import Call, NodeUrl, RpcClient, RpcConfig
from validation.subjects import parse_subject
from validation.validators import validate

BATCH = 100
LATENCY_MS = 20
ACCOUNT = ("eth_getBalance", "eth_getTransactionCount", "eth_getCode")

as_text = msgspec.json.Decoder(str).decode

type Work = Callable[[], Coroutine[Any, Any, int]]
"""Does some calls and returns how many."""


class Bench:
    """One loop, one node and one client of each kind for all measurements."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.addresses = Chain.load().addresses
        self._turn = itertools.count()
        self.runner.run(self._open())

    async def _open(self) -> None:
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
        self.httpx = httpx.AsyncClient(trust_env=False, limits=limits)
        self.aiohttp = aiohttp.ClientSession()
        self.web3 = AsyncWeb3(AsyncHTTPProvider(self.url))
        self.ours = self.client()
        self.alone = self.client(batch_size=1, max_connections=64)
        self.wide = self.client(max_in_flight=1024)

    def client(self, **config: Any) -> RpcClient:
        node = NodeUrl.parse(self.url)
        return RpcClient(
            RpcConfig(nodes=(node,), allow_loopback=True, **config), breakers=Breakers()
        )

    async def _close(self) -> None:
        await self.httpx.aclose()
        await self.aiohttp.close()
        await self.web3.provider.disconnect()
        for client in (self.ours, self.alone, self.wide):
            await client.aclose()

    def close(self) -> None:
        self.runner.run(self._close())
        self.runner.close()

    async def _set_latency(self, ms: int) -> None:
        (await self.httpx.post(f"{self.url}/_control", json={"latency_ms": ms})).raise_for_status()

    def set_latency(self, ms: int) -> None:
        self.runner.run(self._set_latency(ms))

    def fresh(self) -> str:
        """The next address: never the same twice in a row, so that nothing is shared."""
        return self.addresses[next(self._turn) % len(self.addresses)]

    def cpu_us(self, work: Work) -> Callable[[], float]:
        """Measures CPU µs a call."""

        def measure() -> float:
            started = process_time()
            calls = self.runner.run(work())
            return (process_time() - started) * 1e6 / calls

        return measure

    def per_second(self, work: Work) -> Callable[[], float]:
        def measure() -> float:
            started = perf_counter()
            calls = self.runner.run(work())
            return calls / (perf_counter() - started)

        return measure

    def payload(self, calls: int) -> list[dict[str, Any]]:
        return [
            {"jsonrpc": "2.0", "id": n, "method": ACCOUNT[0], "params": [self.fresh(), "latest"]}
            for n in range(calls)
        ]


def body_of(payload: Any) -> bytes:
    return msgspec.json.encode(payload)


@contextmanager
def node() -> Iterator[str]:
    command = [sys.executable, str(ROOT / "manage.py"), "devnode", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield process.stdout.readline().split()[2].rstrip(":")
    finally:
        process.terminate()
        process.communicate()


def floor(bench: Bench, batches: int) -> Callable[[], float]:
    """CPU µs a call of batches of 100 on one blocking socket, nothing encoded or decoded."""
    host, port = bench.url.removeprefix("http://").split(":")
    body = body_of(bench.payload(BATCH))
    head = b"POST / HTTP/1.1\r\nHost: node\r\nContent-Length: %d\r\n\r\n" % len(body)

    def measure() -> float:
        room = memoryview(bytearray(1 << 20))
        with socket.create_connection((host, int(port))) as connection:
            started = process_time()
            for _ in range(batches):
                connection.sendall(head + body)
                got = connection.recv_into(room)
                start = bytes(room[: min(got, 1024)]).lower()
                field = start.index(b"content-length:") + 15
                length = int(start[field : start.index(b"\r\n", field)])
                left = start.index(b"\r\n\r\n") + 4 + length - got
                while left > 0:
                    left -= connection.recv_into(room)
            return (process_time() - started) * 1e6 / (batches * BATCH)

    return measure


def balance(bench: Bench) -> Call:
    return Call(ACCOUNT[0], (bench.fresh(), "latest"), as_text)


def batches_of_100(bench: Bench) -> None:
    figures = interleaved(
        {
            "ours, a fetch a call": bench.cpu_us(our_batches(bench, BATCH)),
            "ours, one fetch": bench.cpu_us(our_batches(bench, 1)),
            "web3.py": bench.cpu_us(web3_batches(bench)),
            "httpx": bench.cpu_us(httpx_batches(bench)),
            "aiohttp + msgspec": bench.cpu_us(aiohttp_batches(bench)),
            "floor": floor(bench, 40),
        }
    )
    show("batches of 100, CPU a call", figures, unit="µs", goal="≤ 10 µs, web3.py ≥ ×30")


def our_batches(bench: Bench, fetches: int) -> Work:
    async def work() -> int:
        for _ in range(40):
            groups = [[balance(bench) for _ in range(BATCH // fetches)] for _ in range(fetches)]
            await asyncio.gather(*map(bench.ours.fetch, groups))
        return 40 * BATCH

    return work


def web3_batches(bench: Bench) -> Work:
    async def work() -> int:
        for _ in range(2):
            async with bench.web3.batch_requests() as batch:
                for _ in range(BATCH):
                    batch.add(bench.web3.eth.get_balance(checksummed(bench)))
                assert len(await batch.async_execute()) == BATCH
        return 2 * BATCH

    return work


def httpx_batches(bench: Bench) -> Work:
    async def work() -> int:
        for _ in range(20):
            answer = await bench.httpx.post(bench.url, json=bench.payload(BATCH))
            assert len({told["id"] for told in answer.json()}) == BATCH
        return 20 * BATCH

    return work


def aiohttp_batches(bench: Bench) -> Work:
    async def work() -> int:
        for _ in range(20):
            async with bench.aiohttp.post(bench.url, data=body_of(bench.payload(BATCH))) as answer:
                assert len(msgspec.json.decode(await answer.read())) == BATCH
        return 20 * BATCH

    return work


def checksummed(bench: Bench) -> Any:
    return bench.web3.to_checksum_address(bench.fresh())


def at_once(one: Callable[[], Awaitable[object]], *, calls: int, tasks: int = 64) -> Work:
    """`calls` calls by 64 tasks, each waiting for its answer before the next."""

    async def work() -> int:
        turns = iter(range(calls))

        async def loop() -> None:
            for _ in turns:
                await one()

        await asyncio.gather(*(loop() for _ in range(tasks)))
        return calls

    return work


def single_calls(bench: Bench) -> None:
    async def over_httpx() -> None:
        (await bench.httpx.post(bench.url, json=bench.payload(1)[0])).json()

    async def over_aiohttp() -> None:
        async with bench.aiohttp.post(bench.url, data=body_of(bench.payload(1)[0])) as answer:
            msgspec.json.decode(await answer.read())

    figures = interleaved(
        {
            "ours": bench.cpu_us(at_once(lambda: bench.ours.fetch([balance(bench)]), calls=3000)),
            "ours, never coalesced": bench.cpu_us(
                at_once(lambda: bench.alone.fetch([balance(bench)]), calls=600)
            ),
            "web3.py": bench.cpu_us(
                at_once(lambda: bench.web3.eth.get_balance(checksummed(bench)), calls=128)
            ),
            "httpx": bench.cpu_us(at_once(over_httpx, calls=128)),
            "aiohttp": bench.cpu_us(at_once(over_aiohttp, calls=600)),
        }
    )
    show("single calls, 64 in flight, CPU a call", figures, unit="µs", goal="web3.py ≥ ×4")


def round_trips(bench: Bench) -> None:
    """Time of one address in units of one plain request to the same node."""

    def account() -> list[Call]:
        address = bench.fresh()
        return [Call(method, (address, "latest"), as_text) for method in ACCOUNT]

    async def ours() -> int:
        for _ in range(5):
            await bench.ours.fetch(account())
        return 5

    async def plain() -> None:
        async with bench.aiohttp.post(bench.url, data=body_of(bench.payload(1)[0])) as answer:
            await answer.read()

    async def one() -> int:
        for _ in range(5):
            await plain()
        return 5

    async def parallel() -> int:
        for _ in range(5):
            await asyncio.gather(plain(), plain(), plain())
        return 5

    def trips(work: Work) -> Callable[[], float]:
        measure = bench.per_second(work)
        return lambda: 1000 / LATENCY_MS / measure()

    figures = interleaved(
        {
            "ours": trips(ours),
            "aiohttp in parallel": trips(parallel),
            "one plain request": trips(one),
        }
    )
    show("one address, node 20 ms away", figures, unit="round trips", goal="≤ 1.10")


def address_validations(bench: Bench) -> None:
    def ours(client: RpcClient, tasks: int, calls: int) -> Work:
        async def one() -> None:
            outcome = await validate(
                parse_subject(f"address:{bench.fresh()}"),
                level=1,
                fetcher=client,
                chain_id=None,
            )
            assert outcome.verdict == "valid", outcome

        return at_once(one, calls=calls, tasks=tasks)

    async def over_web3() -> None:
        address = checksummed(bench)
        async with bench.web3.batch_requests() as batch:
            batch.add(bench.web3.eth.get_balance(address))
            batch.add(bench.web3.eth.get_transaction_count(address))
            batch.add(bench.web3.eth.get_code(address))
            await batch.async_execute()

    figures = interleaved(
        {
            "ours, 1024 calls in flight": bench.per_second(ours(bench.wide, 500, 5000)),
            "ours, 128 calls in flight": bench.per_second(ours(bench.ours, 128, 1000)),
            "web3.py, batched": bench.per_second(at_once(over_web3, calls=150)),
        }
    )
    show("address validations at 20 ms", figures, unit="/s", goal="≥ 9,000 a process")
    cpu = {"ours": bench.cpu_us(ours(bench.wide, 500, 3000))}
    show("one address validation, CPU", interleaved(cpu), unit="µs", goal="≤ 110 µs (9,000/s)")


def main() -> None:
    with node() as url:
        bench = Bench(url)
        batches_of_100(bench)
        single_calls(bench)
        bench.set_latency(LATENCY_MS)
        round_trips(bench)
        address_validations(bench)
        bench.close()


if __name__ == "__main__":
    main()
