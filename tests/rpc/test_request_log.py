"""Which requests are logged, what a line holds, and above all what it never does."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.rpc.conftest import RunOut
from tests.rpc.scripted import LONG_S, Asked, ScriptedNode, client_of, echo, never, refusal, until
from validation.rpc import FORMS, NodeUrl, RpcClient, RpcError, request_log
from validation.rpc.queues import Batch
from validation.rpc.request_log import REQUEST_LOGS

SECRET = "canary-of-the-url"
PARAM = "0xcanary0000of0000the0000params"
BODY = "canary-of-the-body"


async def broken(asked: Asked) -> None:
    asked.send(BODY.encode(), status=502)


@pytest.fixture
async def client(node: ScriptedNode) -> AsyncIterator[RpcClient]:
    url = NodeUrl.parse(f"http://user:{SECRET}@127.0.0.1:{node.port}/{SECRET}?key={SECRET}")
    async with client_of(url, request_log="all", max_attempts=1) as client:
        yield client


def lines(logs: list[Any]) -> list[Any]:
    return [line for line in logs if line["event"] == "rpc.request"]


async def test_a_line_says_who_what_how_much_how_long_and_how_it_ended(
    client: RpcClient, node: ScriptedNode
) -> None:
    with capture_logs() as logs:
        await client.fetch([echo("a"), echo("b"), echo("c", "eth_other")])
    (line,) = lines(logs)
    ms = line.pop("ms")
    assert 0 < ms < 5000
    assert line == {
        "event": "rpc.request",
        "log_level": "info",
        "node": client.pools()[0].pool,
        "methods": {"eth_echo": 2, "eth_other": 1},
        "calls": 3,
        "requests": 1,
        "outcome": "ok",
    }


@pytest.mark.parametrize("mode", FORMS)
async def test_no_line_holds_a_url_a_parameter_or_a_body(
    client: RpcClient, node: ScriptedNode, mode: str, run_out: RunOut
) -> None:
    async def refuses(asked: Asked) -> None:
        told = [refusal(call, -32000, f"{BODY} {PARAM}") for call in asked.calls]
        asked.send_json(told if asked.is_batch else told[0])

    async def nonsense(asked: Asked) -> None:
        asked.send(BODY.encode())

    asks = client.mode(mode)
    with capture_logs() as logs:
        for default in (broken, refuses, nonsense):
            node.default = default
            with pytest.raises(RpcError):
                await asks.fetch([echo(PARAM), echo(f"{PARAM} 2")])
        node.default, asked = never, len(node.asked)
        with pytest.raises(RpcError):
            await run_out(
                asks.fetch([echo(PARAM)], timeout_s=LONG_S), lambda: len(node.asked) > asked
            )
        await until(lambda: len(lines(logs)) == 4)
    outcomes = [line["outcome"] for line in lines(logs)]
    assert outcomes == ["http_status", "call_refused", "bad_answer", "node_timeout"]
    assert "canary" not in repr(logs)


@pytest.mark.parametrize(("mode", "requests"), [("sequential", 3), ("parallel", 3), ("batch", 1)])
async def test_a_line_tells_in_how_many_requests_it_was_asked(
    client: RpcClient, mode: str, requests: int
) -> None:
    with capture_logs() as logs:
        await client.mode(mode).fetch([echo("a"), echo("b"), echo("c")])
    assert [line["requests"] for line in lines(logs)] == [requests]


async def test_failures_are_all_that_is_logged_of_failures(
    client: RpcClient, node: ScriptedNode
) -> None:
    client.set_request_log("failures")
    assert client.request_log == "failures"
    node.script = [broken]
    with capture_logs() as logs:
        for n in range(3):
            try:
                await client.fetch([echo(str(n))])
            except RpcError:
                assert n == 0
    assert [line["outcome"] for line in lines(logs)] == ["http_status"]


def test_what_is_slow_is_logged_with_failures() -> None:
    log, batch = REQUEST_LOGS["failures"](), Batch()
    with capture_logs() as logs:
        for took_s in (0.999, 1.0):
            log.note("node", batch_of_one(batch), 1, took_s, "ok")
    assert [line["ms"] for line in logs] == [1000.0]


def batch_of_one(batch: Batch) -> Batch:
    batch.fragments, batch.methods = [b""], [("eth_echo",)]
    return batch


def test_one_in_a_hundred_is_logged_whatever_came_of_it() -> None:
    log, batch = REQUEST_LOGS["sampled"](), batch_of_one(Batch())
    with capture_logs() as logs:
        for n in range(250):
            log.note(f"node {n}", batch, 1, 0.1, "ok")
    assert [(line["node"], line["one_in"]) for line in logs] == [
        *(("node 0", 100), ("node 100", 100), ("node 200", 100))
    ]


class NoMethods(Batch):
    """A batch that must not be looked into."""

    __slots__ = ()

    def tally(self) -> dict[str, int]:
        raise AssertionError("a line was made")


@pytest.mark.parametrize("name", ["none", "failures", "sampled"])
def test_what_is_not_logged_costs_no_line(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    log, batch = REQUEST_LOGS[name](), NoMethods()
    monkeypatch.setattr(request_log, "_log", None)
    if name == "sampled":
        log._until_next = 99  # type: ignore[attr-defined]
    for _ in range(99):
        log.note("node", batch, 1, 0.1, "ok")


async def test_the_log_is_exchanged_between_two_requests(client: RpcClient) -> None:
    with capture_logs() as logs:
        for name in ("all", "none", "failures", "all"):
            client.set_request_log(name)
            await client.fetch([echo(name)])
    assert len(lines(logs)) == 2


async def test_an_unknown_log_is_refused(client: RpcClient) -> None:
    with pytest.raises(ValueError, match="request_log: must be one of none, all, sampled"):
        client.set_request_log("some")
    assert client.request_log == "all"
