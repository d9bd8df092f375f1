"""Where each node's chain ends, as it is asked beside the work."""

import asyncio
from typing import Any

import pytest

from monitoring import instruments
from tests.rpc.scripted import Asked, ScriptedNode, client_of, echo, never, until
from validation.resilience import Breakers, Override
from validation.rpc import NodeState, RateBudgets, RpcClient, breaker_name, watching
from validation.rpc.answers import read_quantity_64

OFTEN_S = 0.02


class Chain(ScriptedNode):
    head: object = "0x10"

    def result(self, call: dict[str, Any]) -> object:
        return self.head if call["method"] == "eth_blockNumber" else super().result(call)


@pytest.fixture
async def chains() -> Any:
    made = [await Chain().start() for _ in range(3)]
    yield made
    for one in made:
        await one.stop()


def state(client: RpcClient, node: ScriptedNode) -> NodeState:
    return next(found for found in client.nodes() if found.label == node.node.label)


def asked_for_heads(node: ScriptedNode) -> int:
    return sum(call["method"] == "eth_blockNumber" for one in node.asked for call in one.calls)


def cancelled() -> float:
    child = instruments.RPC_REQUESTS.labels("eth_blockNumber", "cancelled")
    return sum(sample.value for family in child.collect() for sample in family.samples
               if sample.name.endswith("_total"))  # fmt: skip


async def test_each_node_tells_its_head_also_one_that_is_not_in_service(
    chains: list[Chain],
) -> None:
    one, other, _ = chains
    other.head = "0xd"
    async with client_of(one, other) as client:
        client.watch_heads(every_s=OFTEN_S)
        client.set_nodes((one.node,), watched=(other.node,))
        await until(lambda: len(client.nodes()) == 2 and all(n.head for n in client.nodes()))
        first, second = state(client, one), state(client, other)
        assert (first.head, first.lag, first.in_service) == (16, 0, True)
        assert (second.head, second.lag, second.in_service) == (13, 3, False)
        assert second.head_age_s is not None
        assert second.latency_p50_ms is not None
        assert second.latency_p95_ms is not None
        other.head = "0x11"
        await until(lambda: state(client, one).lag == 1)


async def test_a_node_that_does_not_answer_keeps_its_last_head_and_its_failures_are_counted(
    chains: list[Chain],
) -> None:
    one, other, _ = chains
    async with client_of(one, other, call_timeout_s=0.05) as client:
        client.watch_heads(every_s=OFTEN_S)
        await until(lambda: len(client.nodes()) == 2 and all(n.head for n in client.nodes()))
        one.default = never
        other.head = "sixteen"
        await until(lambda: state(client, one).failures.get("node_timeout", 0) >= 2)
        await until(lambda: state(client, other).failures.get("bad_answer", 0) >= 2)
        assert state(client, one).head == 16


async def test_a_question_that_a_process_ends_in_is_counted(chains: list[Chain]) -> None:
    """It was asked: the node has it in its own count."""
    one, before = chains[0], cancelled()
    async with client_of(one) as client:
        client.watch_heads(every_s=OFTEN_S)
        await until(lambda: client.nodes() and state(client, one).head == 16)
        asked, one.default = asked_for_heads(one), never
        await until(lambda: asked_for_heads(one) > asked)
    assert cancelled() == before + 1


async def test_a_defect_of_reading_one_head_ends_no_watch(
    chains: list[Chain], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other, _ = chains

    def read(raw: bytes) -> object:
        if raw == b'"0xbad"':
            raise ValueError("a defect")
        return read_quantity_64(raw)

    monkeypatch.setattr(watching, "read_quantity_64", read)
    one.head = "0xbad"
    async with client_of(one, other) as client:
        client.watch_heads(every_s=OFTEN_S)
        await until(lambda: len(client.nodes()) == 2 and state(client, other).head == 16)
        await until(lambda: state(client, one).failures.get("client_fault", 0) >= 2)
        one.head = "0x11"
        await until(lambda: state(client, one).head == 17)


async def test_the_head_of_another_chain_is_forgotten(chains: list[Chain]) -> None:
    one = chains[0]

    async def closing(asked: Asked) -> None:
        asked.answer()
        asked.close()

    one.default = closing
    async with client_of(one, chain_id=1) as client:
        client.watch_heads(every_s=OFTEN_S)
        await until(lambda: client.nodes() and state(client, one).head == 16)
        one.chain_id = 2
        await until(lambda: state(client, one).failures.get("wrong_chain"))
        assert state(client, one).head is None
        assert state(client, one).lag is None


async def test_no_question_goes_where_an_operator_holds_a_breaker_open(
    chains: list[Chain],
) -> None:
    one, other, _ = chains
    breakers = Breakers()
    breakers.apply(breaker_name(one.node, "block"), Override(mode="forced_open", revision=1))
    async with client_of(one, other, breakers=breakers) as client:
        client.watch_heads(every_s=OFTEN_S)
        await until(lambda: asked_for_heads(other) >= 3)
        assert one.asked == []
        assert state(client, one).failures == {}


async def test_a_node_at_work_or_at_rest_is_not_asked(chains: list[Chain]) -> None:
    busy, resting, free = chains
    busy.default = never
    budget = RateBudgets()
    budget.rest(resting.node.label, 60)
    async with client_of(busy, resting, free, max_connections=1, budget=budget) as client:
        work = asyncio.create_task(client.fetch_from(busy.node.label, [echo("a")]))
        await busy.was_asked()
        client.watch_heads(every_s=OFTEN_S)
        await until(lambda: asked_for_heads(free) >= 3)
        assert asked_for_heads(busy) == asked_for_heads(resting) == 0
        work.cancel()
    await budget.aclose()


async def test_a_node_that_is_removed_is_asked_no_more(chains: list[Chain]) -> None:
    one, other, _ = chains
    async with client_of(one, other) as client:
        client.watch_heads(every_s=OFTEN_S)
        await until(lambda: asked_for_heads(other) >= 2)
        client.set_nodes((one.node,))
        await until(lambda: len(client.nodes()) == 1)
        await until(lambda: client._transport.sockets(other.node) == (0, 0))
        before, here = asked_for_heads(other), asked_for_heads(one)
        await until(lambda: asked_for_heads(one) >= here + 3)
        assert asked_for_heads(other) <= before + 1
        assert client._transport.sockets(other.node) == (0, 0)
