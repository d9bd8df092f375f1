"""A node on loopback that answers as a test tells it to: well, wrongly, slowly or not at all."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Self

import msgspec

from validation.resilience import Breakers
from validation.rpc import Call, NodeUrl, ProbeTurns, RateBudgets, RpcClient, RpcConfig

LONG_S = 4.0
"""Longer than anything takes that a test waits for, and shorter than `call_timeout_s`."""

as_text = msgspec.json.Decoder(str).decode
as_json = msgspec.json.decode


class Asked:
    """One request as it came: head, body, and the means to answer it byte by byte."""

    def __init__(self, node: "ScriptedNode", writer: asyncio.StreamWriter, head: bytes) -> None:
        self.node = node
        self.writer = writer
        lines = head.decode("latin-1").split("\r\n")
        self.target = lines[0].split(" ")[1]
        self.headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])
        }
        self.body = b""

    @property
    def calls(self) -> list[dict[str, Any]]:
        parsed = json.loads(self.body)
        return parsed if isinstance(parsed, list) else [parsed]

    @property
    def is_batch(self) -> bool:
        return self.body.startswith(b"[")

    def answers(self) -> list[dict[str, Any]]:
        return [answer(call, self.node.result(call)) for call in self.calls]

    def send(self, body: bytes, *, status: int = 200, **headers: str) -> None:
        head = [f"HTTP/1.1 {status} Told", f"Content-Length: {len(body)}"]
        head += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    def send_json(self, value: object) -> None:
        self.send(json.dumps(value).encode())

    def answer(self) -> None:
        answers = self.answers()
        self.send_json(answers if self.is_batch else answers[0])

    def reset(self) -> None:
        self.writer.transport.abort()

    def close(self) -> None:
        self.writer.close()


type Handler = Callable[[Asked], Awaitable[None]]


def answer(call: dict[str, Any], result: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call["id"], "result": result}


def refusal(call: dict[str, Any], code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": code, "message": message}}


async def well(asked: Asked) -> None:
    asked.answer()


async def never(asked: Asked) -> None:
    await asyncio.Event().wait()


class ScriptedNode:
    """`script` is used up a handler a request; after it every request goes to `default`."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.script: list[Handler] = []
        self.default: Handler = well
        self.connections = 0
        self.chain_id = 1
        self.port = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._came = asyncio.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def node(self) -> NodeUrl:
        return NodeUrl.parse(self.url)

    @property
    def sizes(self) -> list[int]:
        """Calls in each request so far."""
        return [len(asked.calls) for asked in self.asked]

    def result(self, call: dict[str, Any]) -> object:
        """Echoes the first parameter, so that a test can tell whose answer it got."""
        if call["method"] == "eth_chainId":
            return hex(self.chain_id)
        return call["params"][0] if call["params"] else "0x0"

    async def start(self) -> Self:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, backlog=1_024
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def was_asked(self, times: int = 1) -> None:
        """Waits until so many requests have come."""
        async with self._came:
            await self._came.wait_for(lambda: len(self.asked) >= times)

    async def stop(self) -> None:
        """Closes the port and every connection, as a restart does."""
        if self._server is not None:
            self._server.close()
        tasks = tuple(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self.connections += 1
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            try:
                while not writer.is_closing():
                    await self._next(reader, writer)
            except asyncio.IncompleteReadError:
                pass
            finally:
                self._open.discard(task)
                writer.close()

    async def _next(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked = Asked(self, writer, head)
        asked.body = await reader.readexactly(int(asked.headers["content-length"]))
        async with self._came:
            self.asked.append(asked)
            self._came.notify_all()
        handler = self.script.pop(0) if self.script else self.default
        await handler(asked)


@contextlib.asynccontextmanager
async def client_of(
    *nodes: ScriptedNode | NodeUrl,
    breakers: Breakers | None = None,
    budget: RateBudgets | None = None,
    turns: ProbeTurns | None = None,
    **config: Any,
) -> AsyncIterator[RpcClient]:
    """A client of these nodes, impatient by default, closed in the end."""
    urls = tuple(node.node if isinstance(node, ScriptedNode) else node for node in nodes)
    defaults: dict[str, Any] = {"allow_loopback": True, "backoff_base_s": 0.001, "batch_wait_s": 0}
    # A dial waits for this loop too, which a crowded machine may hold up: the node is not away.
    defaults["connect_timeout_s"] = 30
    client = RpcClient(
        RpcConfig(nodes=urls, **defaults | config), breakers=breakers, budget=budget, turns=turns
    )
    try:
        yield client
    finally:
        await client.aclose()


async def until(is_so: Callable[[], object], *, within_s: float = 10) -> None:
    """Waits for what no event tells, a turn of the loop at a time."""
    async with asyncio.timeout(within_s):
        while not is_so():  # noqa: ASYNC110 - said above
            await asyncio.sleep(0)


def echo(value: str, method: str = "eth_echo") -> Call:
    """A call whose right answer is `value`."""
    return Call(method, (value,), as_text)
