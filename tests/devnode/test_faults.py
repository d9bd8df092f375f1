"""Delay, failing calls, silence and limits: each by the settings of the moment."""

import asyncio
import threading
from collections.abc import Callable
from random import Random

import pytest

from tests.devnode.asking import Over, Within, call
from validation.devnode import app as devnode
from validation.devnode.app import App, create_app
from validation.devnode.chain import Chain
from validation.devnode.controls import Controls, Settings


class Clock:
    """Time that passes only when somebody sleeps or says so."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def set_to(chain: Chain, clock: Clock) -> Callable[..., Within]:
    def made(**settings: float) -> Within:
        controls = Controls(settings=Settings().changed(settings))
        return Within(create_app(chain, controls, random=Random(7), clock=clock, sleep=clock.sleep))

    return made


def test_latency_comes_before_each_reply_once(set_to: Callable[..., Within], clock: Clock) -> None:
    node = set_to(latency_ms=20)
    assert len(node.post([call("eth_chainId")] * 50).json) == 50
    assert clock.slept == [0.02]


def test_jitter_adds_up_to_its_bound(set_to: Callable[..., Within], clock: Clock) -> None:
    node = set_to(latency_ms=10, jitter_ms=40)
    for _ in range(200):
        node.post(call("eth_chainId"))
    assert min(clock.slept) >= 0.01
    assert max(clock.slept) <= 0.05
    assert 0.025 < sum(clock.slept) / 200 < 0.035


def test_the_error_rate_is_a_share_of_the_calls(set_to: Callable[..., Within]) -> None:
    node = set_to(error_rate=0.25)
    answers = node.post([call("eth_chainId", ident=i) for i in range(1000)]).json
    failed = [answer for answer in answers if "error" in answer]
    assert [answer["id"] for answer in answers] == list(range(1000))
    assert 200 < len(failed) < 300
    assert {answer["error"]["code"] for answer in failed} == {-32603}
    assert node.counters["errors_injected"] == len(failed)


def test_an_error_rate_of_one_fails_all_but_answers_no_notification(
    set_to: Callable[..., Within],
) -> None:
    node = set_to(error_rate=1)
    silent = {"jsonrpc": "2.0", "method": "eth_chainId"}
    answers = node.post([silent, call("eth_chainId", ident=4)]).json
    assert [(a["id"], a["error"]["code"]) for a in answers] == [(4, -32603)]
    assert node.post(silent).status == 204


def test_the_rate_limit_says_when_to_come_back(set_to: Callable[..., Within], clock: Clock) -> None:
    node = set_to(rate_limit=5)
    statuses = [node.post(call("eth_chainId")).status for _ in range(8)]
    assert statuses == [200] * 5 + [429] * 3
    refused = node.post(call("eth_chainId"))
    assert refused.headers["retry-after"] == "1"
    assert refused.json["error"]["code"] == -32005
    clock.now += 0.2  # one request's worth
    assert [node.post(call("eth_chainId")).status for _ in range(2)] == [200, 429]
    assert node.counters["rate_limited"] == 5


def test_a_slow_rate_names_a_long_wait(set_to: Callable[..., Within]) -> None:
    node = set_to(rate_limit=0.1)
    assert node.post(call("eth_chainId")).status == 200
    assert node.post(call("eth_chainId")).headers["retry-after"] == "10"


def test_a_limit_that_is_lifted_is_lifted_at_once(set_to: Callable[..., Within]) -> None:
    node = set_to(rate_limit=1)
    assert [node.post(call("eth_chainId")).status for _ in range(2)] == [200, 429]
    node.control(rate_limit=0)
    assert node.post(call("eth_chainId")).status == 200
    node.control(rate_limit=2)
    assert node.post(call("eth_chainId")).status == 200


def test_a_request_never_answered_ends_with_its_client(set_to: Callable[..., Within]) -> None:
    node = set_to(timeout_rate=1)
    assert node.post(call("eth_chainId")).status == 0
    counters = node.counters
    assert counters["timeouts_injected"] == 1
    assert counters["calls_in_flight"] == 0


def test_some_requests_are_never_answered(set_to: Callable[..., Within]) -> None:
    node = set_to(timeout_rate=0.5)
    statuses = [node.post(call("eth_chainId")).status for _ in range(200)]
    assert set(statuses) == {0, 200}
    assert 70 < statuses.count(0) < 130


def test_a_client_that_leaves_mid_request_is_no_error(chain: Chain) -> None:
    node = Within(create_app(chain))
    exchange_body = b" " * (devnode.MOST_BODY_BYTES + 200_000)
    assert node.post(exchange_body).json["error"]["code"] == -32005

    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        raise AssertionError(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    asyncio.run(_call(node.app, scope, receive, send))


async def _call(app: App, scope: object, receive: object, send: object) -> None:
    await app(scope, receive, send)  # type: ignore[arg-type]


def test_silence_over_a_socket_ends_when_the_client_leaves(
    chain: Chain, serving: Callable[[App], Over]
) -> None:
    controls = Controls(settings=Settings(timeout_rate=1))
    node = serving(create_app(chain, controls))
    node.timeout_s = 0.2
    with pytest.raises(TimeoutError):
        node.post(call("eth_chainId"))
    node.close()
    other = Over(node.url)
    other.post({"timeout_rate": 0}, "/_control")
    assert other.post(call("eth_chainId")).json["result"] == "0x7a69"
    assert controls.counters.timeouts_injected == 1
    other.close()


def test_calls_in_flight_are_counted_at_their_most(
    chain: Chain, serving: Callable[[App], Over]
) -> None:
    together = threading.Barrier(3)
    controls = Controls(settings=Settings(latency_ms=300))
    node = serving(create_app(chain, controls))

    def ask() -> None:
        own = Over(node.url)
        own.connection().connect()
        together.wait(10)
        assert len(own.post([call("eth_chainId")] * 10).json) == 10
        own.close()

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert controls.counters.max_calls_in_flight == 30
    assert controls.counters.calls_in_flight == 0
    assert controls.counters.calls == 30
