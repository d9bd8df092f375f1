"""What is asked again, how often, and when a failure is told at once."""

import asyncio
import email.utils
import time
from random import Random
from typing import Any

import pytest

from tests.rpc.scripted import Asked, Handler, ScriptedNode, answer, client_of, echo, refusal
from validation.resilience import Backoff, RetryBudget
from validation.rpc import (
    BatchRefused,
    CallRefused,
    HttpStatus,
    NodeUnreachable,
    RateLimited,
    RpcError,
)
from validation.rpc.errors import NodeTimeout
from validation.rpc.retry_policies import Verdict, judge


def status(code: int, **headers: str) -> Handler:
    async def handler(asked: Asked) -> None:
        asked.send(b"no", status=code, **headers)

    return handler


def refuse(code: int, *names: str) -> Handler:
    """Refuses the calls of these names, or all, each with an error of its own."""

    async def handler(asked: Asked) -> None:
        told = [
            refusal(call, code, "said no")
            if not names or call["params"][0] in names
            else answer(call, call["params"][0])
            for call in asked.calls
        ]
        asked.send_json(told if asked.is_batch else told[0])

    return handler


def refuse_all(code: int, message: str) -> Handler:
    async def handler(asked: Asked) -> None:
        error = {"code": code, "message": message}
        asked.send_json({"jsonrpc": "2.0", "id": None, "error": error})

    return handler


@pytest.mark.parametrize(
    "trouble", [status(500), status(503), status(429), refuse(-32603), refuse(-32005), refuse(429)]
)
async def test_trouble_that_passes_is_not_seen(node: ScriptedNode, trouble: Handler) -> None:
    node.script = [trouble, trouble]
    async with client_of(node) as client:
        assert (await client.fetch([echo("x")])).values == ("x",)
        assert sum(client.snapshot()["retries"].values()) == 2
    assert len(node.asked) == 3


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [(status(401), HttpStatus), (status(404), HttpStatus), (refuse(-32602), CallRefused)],
)
async def test_trouble_that_stays_is_told_at_once(
    node: ScriptedNode, trouble: Handler, kind: type[RpcError]
) -> None:
    node.default = trouble
    async with client_of(node) as client:
        with pytest.raises(kind) as caught:
            await client.fetch([echo("x")])
    assert not caught.value.retryable
    assert len(node.asked) == 1


async def test_attempts_are_bounded_and_the_last_error_told(node: ScriptedNode) -> None:
    node.default = status(503)
    async with client_of(node, max_attempts=3) as client:
        with pytest.raises(HttpStatus, match="HTTP 503"):
            await client.fetch([echo("x")])
    assert len(node.asked) == 3


async def test_only_the_refused_fetch_of_a_batch_is_asked_again(node: ScriptedNode) -> None:
    node.script = [refuse(-32603, "bad")]
    async with client_of(node) as client:
        replies = await asyncio.gather(*(client.fetch([echo(x)]) for x in ("good", "bad")))
    assert [reply.values for reply in replies] == [("good",), ("bad",)]
    assert [[call["params"][0] for call in asked.calls] for asked in node.asked] == [
        ["good", "bad"],
        ["bad"],
    ]


async def test_a_call_without_trouble_is_not_hurt_by_its_neighbour(node: ScriptedNode) -> None:
    node.default = refuse(-32000, "bad")
    async with client_of(node) as client:
        good, bad = await asyncio.gather(
            client.fetch([echo("good")]), client.fetch([echo("bad")]), return_exceptions=True
        )
    assert not isinstance(good, BaseException)
    assert isinstance(bad, CallRefused)
    assert bad.code == -32000


async def test_retry_after_is_waited_for(node: ScriptedNode) -> None:
    node.script = [status(429, retry_after="1")]
    async with client_of(node, total_timeout_s=10) as client:
        started = time.monotonic()
        assert (await client.fetch([echo("x")])).values == ("x",)
        assert time.monotonic() - started >= 0.95


@pytest.mark.parametrize(
    "after",
    [
        "3600",
        "99999999999999",
        pytest.param(email.utils.formatdate(time.time() + 7200, usegmt=True), id="a date"),
    ],
)
async def test_a_retry_after_beyond_the_deadline_is_not_waited_for(
    node: ScriptedNode, after: str
) -> None:
    node.default = status(429, retry_after=after)
    async with client_of(node) as client:
        with pytest.raises(RateLimited) as caught:
            await client.fetch([echo("x")], timeout_s=5)
    assert caught.value.retryable
    assert not caught.value.trips_breaker
    assert 3000 < (caught.value.retry_after_s or 0) <= 3600


@pytest.mark.parametrize("after", ["", "soon", "-5", "1e9", "Wed, 99 Foo"])
async def test_a_retry_after_of_nonsense_is_ignored(node: ScriptedNode, after: str) -> None:
    node.script = [status(503, retry_after=after)]
    async with client_of(node) as client:
        assert (await client.fetch([echo("x")])).values == ("x",)


async def test_retries_stay_within_their_budget(node: ScriptedNode) -> None:
    node.default = status(503)
    async with client_of(node, retry_burst=5, retry_ratio=0.1, max_attempts=10) as client:
        for n in range(40):
            with pytest.raises(HttpStatus):
                await client.fetch([echo(str(n))])
    assert 40 < sum(node.sizes) <= 40 + 5 + 4


@pytest.mark.parametrize("refuses", [refuse_all(-32600, "batch too large"), status(413)])
async def test_a_batch_refused_as_a_whole_is_asked_in_halves(
    node: ScriptedNode, refuses: Handler
) -> None:
    async def at_most_three(asked: Asked) -> None:
        if len(asked.calls) > 3:
            await refuses(asked)
        else:
            asked.answer()

    node.default = at_most_three
    async with client_of(node) as client:
        replies = await asyncio.gather(*(client.fetch([echo(str(n))]) for n in range(12)))
        assert [reply.values for reply in replies] == [(str(n),) for n in range(12)]
        assert node.sizes == [12, 6, 6, 3, 3, 3, 3]
        # And the next batches are small from the start.
        await asyncio.gather(*(client.fetch([echo(f"n{n}")]) for n in range(6)))
        assert node.sizes[7:] == [3, 3]


async def test_a_fetch_that_cannot_be_halved_says_that_its_batch_was_refused(
    node: ScriptedNode,
) -> None:
    node.default = refuse_all(-32600, "no batches here")
    async with client_of(node) as client:
        with pytest.raises(BatchRefused, match="batch of 2 calls as a whole: no batches here"):
            await client.fetch([echo("a"), echo("b")])
    assert len(node.asked) == 1


async def test_a_limit_told_to_the_whole_batch_is_a_limit(node: ScriptedNode) -> None:
    node.script = [refuse_all(-32005, "slow down")]
    async with client_of(node) as client:
        assert (await client.fetch([echo("a"), echo("b")])).values == ("a", "b")
        assert client.snapshot()["retries"] == {"rate_limited": 2}


def test_backoff_doubles_up_to_its_cap_with_full_jitter() -> None:
    backoff = Backoff(base_s=0.1, cap_s=1.0, random=Random(1))
    for attempts, ceiling in ((1, 0.1), (2, 0.2), (3, 0.4), (4, 0.8), (5, 1.0), (500, 1.0)):
        delays = [backoff.delay_s(attempts, None) for _ in range(300)]
        assert 0 <= min(delays) < ceiling * 0.1
        assert ceiling * 0.9 < max(delays) <= ceiling
    assert 5.0 <= backoff.delay_s(1, 5.0) <= 5.1


def test_the_budget_earns_a_share_of_what_is_asked() -> None:
    budget = RetryBudget(ratio=0.1, burst=3)
    assert budget.spend(3)
    assert not budget.spend(1)
    budget.earn(9)
    assert not budget.spend(1)
    budget.earn(1)
    assert budget.spend(1)
    budget.earn(10_000)
    assert not budget.spend(4)


@pytest.mark.parametrize(
    ("error", "attempts", "other", "verdict"),
    [
        (NodeUnreachable("x"), 1, True, Verdict.ELSEWHERE),
        (NodeTimeout("x"), 1, False, Verdict.LATER),
        (NodeTimeout("x"), 4, True, Verdict.NEVER),
        (HttpStatus("x", status=404), 1, True, Verdict.ELSEWHERE),
        (HttpStatus("x", status=404), 1, False, Verdict.NEVER),
        (CallRefused("x", code=-32602), 1, True, Verdict.NEVER),
        (RateLimited("x"), 1, True, Verdict.ELSEWHERE),
    ],
)
def test_where_a_failure_leads(error: Any, attempts: int, other: bool, verdict: Verdict) -> None:
    assert judge(error, attempts=attempts, max_attempts=4, has_other_node=other) is verdict
