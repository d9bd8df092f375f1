"""The demo node must never be what a benchmark measures: calls a second of its CPU, by loopback.

CPU is the node process's, so that the client beside it and the machine's load do not count.
"""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import process_time

import psutil

from tests.bench.lines import interleaved, show
from tests.services import ROOT
from validation.devnode import wire
from validation.devnode.chain import Chain
from validation.devnode.methods import methods

BATCH = 100
BATCHES = 500
UNIT = "thousand calls/s/core"
GOAL = "≥ 100 thousand"

type Calls = Sequence[tuple[str, list[object]]]


def _bodies(calls: Calls, batch: int = BATCH) -> list[bytes]:
    numbered = [
        {"jsonrpc": "2.0", "id": i, "method": method, "params": params}
        for i, (method, params) in enumerate(calls)
    ]
    return [
        json.dumps(numbered[at : at + batch] if batch > 1 else numbered[at]).encode()
        for at in range(0, len(numbered), batch)
    ]


def workloads(chain: Chain) -> list[Calls]:
    size = BATCH * BATCHES
    txs = [chain.transactions[i % len(chain.transactions)] for i in range(size)]
    addresses = [chain.addresses[i % len(chain.addresses)] for i in range(size)]
    account = ("eth_getBalance", "eth_getTransactionCount", "eth_getCode")
    pair = ("eth_getTransactionByHash", "eth_getTransactionReceipt")
    return [
        [(account[i % 3], [addresses[i // 3], "latest"]) for i in range(size)],
        [(pair[i % 2], [txs[i // 2]]) for i in range(size)],
    ]


class Client:
    """Writes a request and reads the reply's bytes, with as little else as can be."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port))
        self._room = memoryview(bytearray(1 << 20))

    def post(self, body: bytes) -> bytes:
        head = b"POST / HTTP/1.1\r\nHost: node\r\nContent-Length: %d\r\n\r\n" % len(body)
        self._socket.sendall(head + body)
        got = self._socket.recv_into(self._room)
        start = bytes(self._room[:got])
        head_end = start.index(b"\r\n\r\n") + 4
        field = start.lower().index(b"content-length:") + 15
        left = int(start[field : start.index(b"\r\n", field)]) - (got - head_end)
        while left > 0:
            left -= self._socket.recv_into(self._room)
        return start[head_end:]

    def close(self) -> None:
        self._socket.close()


@contextmanager
def node() -> Iterator[tuple[Client, psutil.Process]]:
    command = [sys.executable, str(ROOT / "manage.py"), "devnode", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        address = process.stdout.readline().split()[2].rstrip(":")
        client = Client("127.0.0.1", int(address.rsplit(":", 1)[1]))
        yield client, psutil.Process(process.pid)
        client.close()
    finally:
        process.terminate()
        process.communicate()


def served(client: Client, process: psutil.Process, bodies: list[bytes], calls: int) -> float:
    """Thousands of calls a second of the node's CPU."""
    before = process.cpu_times()
    for body in bodies:
        client.post(body)
    after = process.cpu_times()
    return calls / (after.user + after.system - before.user - before.system) / 1000


def answered(chain: Chain, bodies: list[bytes], calls: int) -> float:
    """The same without HTTP: the floor."""
    table = methods(chain)
    started = process_time()
    for body in bodies:
        wire.reply(wire.decode(body), table)
    return calls / (process_time() - started) / 1000


def compared(chain: Chain, client: Client, process: psutil.Process, calls: Calls) -> None:
    bodies = _bodies(calls)
    reply = client.post(bodies[0])
    if b'"error"' in reply:
        raise SystemExit(f"the node refused: {reply[:300]!r}")
    figures = interleaved(
        {
            "over HTTP": lambda: served(client, process, bodies, len(calls)),
            "without HTTP": lambda: answered(chain, bodies, len(calls)),
        }
    )
    methods_asked = ", ".join(sorted({method for method, _ in calls}))
    show(f"devnode, batches of {BATCH} ({methods_asked})", figures, unit=UNIT, goal=GOAL)


def main() -> None:
    chain = Chain.load()
    with node() as (client, process):
        for calls in workloads(chain):
            compared(chain, client, process, calls)
        singles = _bodies(workloads(chain)[0][:3000], batch=1)
        alone = {"over HTTP": lambda: served(client, process, singles, len(singles))}
        show("devnode, single calls", interleaved(alone), unit=UNIT, goal="none")
        rss = process.memory_info().rss / 1e6
        print(f"devnode, memory after all this: {rss:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
