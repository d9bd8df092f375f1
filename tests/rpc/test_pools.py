"""What operators are shown of a node: sockets, limits and times; scores; and what is counted."""

import asyncio
from typing import Any

import msgspec
import pytest

from monitoring.instruments import REGISTRY
from monitoring.snapshots import PoolReport
from tests.rpc.scripted import Asked, ScriptedNode, client_of, echo, never
from validation.resilience import BreakerConfig, Breakers
from validation.rpc import CallRefused, NodeUrl, RpcClient, RpcConfig, breaker_name
from validation.rpc.metrics import METRICS


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"switchyard_{name}", labels) or 0.0


async def test_a_pool_report_has_every_field_that_pages_show(node: ScriptedNode) -> None:
    async with client_of(node, rate_limit=5000, limiter="adaptive", max_in_flight=30) as client:
        assert client.pools() == []
        await asyncio.gather(*(client.fetch([echo(str(n))]) for n in range(10)))
        node.default = never
        held = asyncio.ensure_future(client.fetch([echo("held")]))
        await node.was_asked(2)
        (pool,) = client.pools()
        report = msgspec.convert(pool, PoolReport, from_attributes=True)
        held.cancel()
        await asyncio.gather(held, return_exceptions=True)
    assert report.pool == node.node.label
    assert (report.used, report.idle, report.max, report.dialled) == (1, 0, 8, 1)
    assert (report.in_flight, report.waiting) == (1, 0)
    assert (report.limiter, report.limit, report.limit_max) == ("adaptive", 30, 120)
    assert (report.requests, report.calls, report.failures) == (2, 11, {})
    assert report.rate_limit == 5000
    assert 0 < (report.wait_p50_ms or 0) <= (report.wait_p95_ms or 0)
    assert 0 < (report.rtt_p50_ms or 0) <= (report.rtt_p95_ms or 0)


async def test_nothing_timed_is_no_data_and_not_zero(node: ScriptedNode) -> None:
    await node.stop()
    async with client_of(node, retry_burst=0) as client:
        await asyncio.gather(client.fetch([echo("x")]), return_exceptions=True)
        (pool,) = client.pools()
    assert pool.rtt_p50_ms is None
    assert pool.score is None
    assert pool.rate_limit is None
    assert pool.failures == {"node_unreachable": 1}


async def test_the_limiter_is_exchanged_while_calls_are_out(node: ScriptedNode) -> None:
    async with client_of(node, max_in_flight=5, batch_size=5) as client:
        for name, expected in (("none", 1_000_000), ("adaptive", 5), ("fixed", 5)):
            client.set_limiter(name)
            replies = await asyncio.gather(*(client.fetch([echo(f"{name}{n}")]) for n in range(50)))
            assert len(replies) == 50
            (pool,) = client.pools()
            assert (pool.limiter, pool.in_flight) == (name, 0)
            assert pool.limit >= expected
        with pytest.raises(ValueError, match="limiter: must be one of"):
            client.set_limiter("magic")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"limiter": "x"}, "limiter: must be one of none, fixed, adaptive, not 'x'"),
        ({"hedge_quantile": 1.0}, "hedge_quantile: must be between 0 and 1, not 1.0"),
        ({"rate_limit": 0}, "rate_limit: must be above 0, not 0"),
    ],
)
def test_a_limit_that_could_not_work_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RpcConfig(nodes=(NodeUrl.parse("http://node.example"),), **fields)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_a_node_that_fails_often_is_asked_after_the_other(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    """Not often enough for its breaker, but enough for its score."""
    clock = Clock()
    turn = 0

    async def shaky(asked: Asked) -> None:
        nonlocal turn
        turn += 1
        if turn % 2:
            asked.send(b"", status=500)
        else:
            asked.answer()

    node.default = shaky
    config = RpcConfig(nodes=(node.node, other.node), allow_loopback=True)
    client = RpcClient(config, clock=clock)
    for n in range(10):
        await client.fetch([echo(str(n))])
    clock.now += 1.1
    await client.fetch([echo("looks")])
    asked = len(node.asked)
    for n in range(10):
        assert (await client.fetch([echo(f"now {n}")])).node == other.node.label
    first, second = client.pools()
    assert first.score is not None
    assert second.score is not None
    assert first.score < second.score
    assert len(node.asked) == asked
    # Silence is forgotten: preferred by the configuration, it gets its next chance.
    clock.now += 90
    await client.fetch([echo("looks again")])
    node.default = other.default
    assert (await client.fetch([echo("is back")])).node == node.node.label
    await client.aclose()


@pytest.fixture
def fresh_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests have named as many pools as a process names."""
    monkeypatch.setattr(METRICS, "_pool_waits", {})


@pytest.mark.usefixtures("fresh_metrics")
async def test_every_call_is_counted_once_by_method_and_outcome(node: ScriptedNode) -> None:
    async def refuse_some(asked: Asked) -> None:
        told = asked.answers()
        for answer, call in zip(told, asked.calls, strict=True):
            if call["params"][0].startswith("bad"):
                del answer["result"]
                answer["error"] = {"code": -32000, "message": "no"}
        asked.send_json(told if asked.is_batch else told[0])

    node.default = refuse_some
    names = ("ok", "call_refused")
    before = [sample("rpc_requests_total", method="eth_counted", outcome=n) for n in names]
    timed = sample("rpc_duration_seconds_count", method="eth_counted")
    sizes, waits = (
        sample("rpc_batch_size_count"),
        sample("pool_wait_seconds_count", pool=node.node.label),
    )
    shared = sample("rpc_shared_total")
    async with client_of(node) as client:
        found = await asyncio.gather(
            *(client.fetch([echo(f"good{n}", "eth_counted")]) for n in range(7)),
            *(
                client.fetch([echo("bad", "eth_counted"), echo(f"good{n}", "eth_counted")])
                for n in (0, 8)
            ),
            client.fetch([echo("good3", "eth_counted")]),
            return_exceptions=True,
        )
    assert sum(isinstance(one, CallRefused) for one in found) == 2
    assert node.sizes == [9]  # good0 and bad are asked by two and sent once
    after = [sample("rpc_requests_total", method="eth_counted", outcome=n) for n in names]
    assert [a - b for a, b in zip(after, before, strict=True)] == [8, 1]
    assert sample("rpc_duration_seconds_count", method="eth_counted") - timed == 9
    assert sample("rpc_batch_size_count") - sizes == 1
    assert sample("pool_wait_seconds_count", pool=node.node.label) - waits == 1
    assert sample("rpc_shared_total") - shared == 1


async def test_failed_batches_and_retries_are_counted_by_reason(node: ScriptedNode) -> None:
    async def broken(asked: Asked) -> None:
        asked.send(b"", status=503)

    labels = {"method": "eth_failing", "outcome": "http_status"}
    before, retried = (
        sample("rpc_requests_total", **labels),
        sample("rpc_retries_total", reason="http_status"),
    )
    node.script = [broken]
    async with client_of(node) as client:
        await client.fetch([echo("a", "eth_failing"), echo("b", "eth_failing")])
    assert sample("rpc_requests_total", **labels) - before == 2
    assert sample("rpc_retries_total", reason="http_status") - retried == 2
    assert sample("rpc_requests_total", method="eth_failing", outcome="ok") >= 2


async def test_a_breaker_counts_a_batch_and_not_its_calls(node: ScriptedNode) -> None:
    breakers = Breakers({"": BreakerConfig()})
    async with client_of(node, breakers=breakers) as client:
        await asyncio.gather(*(client.fetch([echo(str(n))]) for n in range(50)))
    name = breaker_name(node.node, "lookup")
    assert breakers.get(name).report().calls == 1
    assert sample("breaker_calls_total", breaker=name, outcome="success") == 1


def test_a_label_with_a_key_names_a_breaker_that_fits_in_an_address() -> None:
    node = NodeUrl.parse("https://user:hunter2@node.example/v2/secret-key")
    name = breaker_name(node, "block")
    assert name.startswith("node:node.example:443~")
    assert name.endswith(":block")
    assert "#" not in name
    assert "secret" not in name
