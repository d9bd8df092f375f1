"""Retries by name: none, as the sources wrote them, and within a budget; exchanged under way."""

from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest

from tests.rpc.fakes import NODE
from tests.rpc.scripted import Asked, ScriptedNode, client_of, echo
from validation.resilience import Pauses, RetryBudget
from validation.rpc import (
    CallRefused,
    HttpStatus,
    NodeUnreachable,
    RateLimited,
    RpcClient,
    RpcConfig,
    RpcError,
)
from validation.rpc.retry_policies import RETRIES, RetryPolicy, Verdict

DOWN = NodeUnreachable("gone")


async def broken(asked: Asked) -> None:
    asked.send(b"", status=502)


@pytest.fixture
async def client(node: ScriptedNode) -> AsyncIterator[RpcClient]:
    async with client_of(node) as client:
        yield client


def policy(name: str, **config: Any) -> RetryPolicy:
    node = RpcConfig(nodes=(NODE,), **config)
    return RETRIES[name](node, RetryBudget(ratio=0, burst=5), Random(1))


async def test_without_retries_the_first_failure_is_told(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    node.script = [broken]
    async with client_of(node, other, retry="none") as client:
        with pytest.raises(HttpStatus):
            await client.fetch([echo("x")])
        assert client.snapshot()["retries"] == {}
    assert (len(node.asked), len(other.asked)) == (1, 0)


@pytest.mark.parametrize("error", [DOWN, RateLimited("later", retry_after_s=1.0)])
@pytest.mark.parametrize("other", [True, False])
def test_none_asks_nobody_again(error: RpcError, other: bool) -> None:
    found = policy("none").judge(error, attempts=0, has_other_node=other)
    assert found is Verdict.NEVER


def test_backoff_pauses_before_any_node_and_asks_three_times() -> None:
    backoff = policy("backoff")
    told = [
        backoff.judge(DOWN, attempts=attempts, has_other_node=other)
        for attempts in (1, 2, 3)
        for other in (True, False)
    ]
    assert told == [*[Verdict.LATER] * 4, Verdict.NEVER, Verdict.NEVER]
    refused = CallRefused("no", code=-32602)
    assert backoff.judge(refused, attempts=1, has_other_node=True) is Verdict.NEVER
    assert backoff.counts(RateLimited("later", retry_after_s=1))
    assert backoff.spend(1_000_000)


def test_the_pauses_of_the_sources_double_from_100_ms_to_2_s_and_grow_by_chance() -> None:
    backoff = policy("backoff")
    for attempts, pause in ((1, 0.1), (2, 0.2), (3, 0.4), (5, 1.6), (6, 2.0), (500, 2.0)):
        delays = [backoff.delay_s(attempts, None) for _ in range(300)]
        assert pause <= min(delays) < pause * 1.02
        assert pause * 1.28 < max(delays) <= pause * 1.3
    assert backoff.delay_s(1, 7.0) == 7.0


def test_pauses_without_jitter_are_exact() -> None:
    pauses = Pauses(base_s=0.1, cap_s=0.3, jitter=0, random=Random(1))
    assert [pauses.delay_s(n) for n in (1, 2, 3)] == [0.1, 0.2, 0.3]


def test_budgeted_spends_and_believes_a_node_that_says_when_to_come_back() -> None:
    budgeted = policy("budgeted", max_attempts=2)
    assert budgeted.judge(DOWN, attempts=1, has_other_node=True) is Verdict.ELSEWHERE
    assert budgeted.judge(DOWN, attempts=1, has_other_node=False) is Verdict.LATER
    assert budgeted.judge(DOWN, attempts=2, has_other_node=True) is Verdict.NEVER
    assert not budgeted.counts(RateLimited("later", retry_after_s=1))
    assert [budgeted.spend(3), budgeted.spend(3)] == [True, False]


async def test_backoff_is_answered_after_its_pause(client: RpcClient, node: ScriptedNode) -> None:
    node.script = [broken]
    client.set_retry("backoff")
    reply = await client.fetch([echo("x")])
    assert reply.values == ("x",)
    paused = [span.ms for span in reply.spans if span.name == "backoff"]
    assert len(paused) == 1
    assert paused[0] >= 99


async def test_backoff_gives_up_after_three(client: RpcClient, node: ScriptedNode) -> None:
    node.default = broken
    client.set_retry("backoff")
    with pytest.raises(HttpStatus):
        await client.fetch([echo("x")])
    assert len(node.asked) == 3


async def test_after_its_pause_backoff_asks_a_node_that_was_not_tried(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    node.default = broken
    async with client_of(node, other, retry="backoff") as client:
        assert (await client.fetch([echo("x")])).node == other.node.label


async def test_who_pauses_is_asked_again_though_retries_were_taken_away(
    client: RpcClient, node: ScriptedNode
) -> None:
    async def fail_and_exchange(asked: Asked) -> None:
        client.set_retry("budgeted")
        asked.send(b"", status=502)

    node.script = [fail_and_exchange]
    client.set_retry("none")
    assert (await client.fetch([echo("x")])).values == ("x",)
    assert client.retry == "budgeted"


@pytest.mark.parametrize("name", ["", "always"])
async def test_an_unknown_one_is_refused_and_changes_nothing(client: RpcClient, name: str) -> None:
    with pytest.raises(ValueError, match="retry: must be one of none, backoff, budgeted"):
        client.set_retry(name)
    assert client.retry == "budgeted"
