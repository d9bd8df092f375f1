"""A bundle answers what was asked when it was made, and nothing else."""

import pytest
from msgspec import Raw

from validation.evidence import Exchange, NotRecorded, Question, Recorded
from validation.rpc import BadAnswer, Call


def _exchange(node: str, *results: bytes, method: str = "eth_chainId") -> Exchange:
    return Exchange(
        node=node,
        source="node",
        age_s=0.0,
        questions=tuple(
            Question(method=method, params=Raw(b'["0x1", true]'), result=Raw(result))
            for result in results
        ),
    )


def _call(method: str = "eth_chainId", *, params: tuple[object, ...] = ("0x1", True)) -> Call:
    return Call(method, params, bytes)


async def test_it_answers_as_the_node_did() -> None:
    recorded = Recorded([_exchange("node-1", b'{"a" : 1}')])
    reply = await recorded.fetch([_call()])
    assert reply.raws == (b'{"a":1}',)
    assert reply.values == (b'{"a":1}',)
    assert (reply.node, reply.source, reply.age_s) == ("node-1", "node", 0.0)


@pytest.mark.parametrize("call", [_call("eth_call"), _call(params=("0x1",)), _call(params=())])
async def test_it_refuses_what_was_not_asked(call: Call) -> None:
    recorded = Recorded([_exchange("node-1", b"1")])
    with pytest.raises(NotRecorded, match="the bundle holds no answer"):
        await recorded.fetch([_call(), call])
    assert len(recorded.refused) == 1
    assert recorded.unused == ['eth_chainId ["0x1",true]']


async def test_what_was_asked_twice_is_answered_in_that_order() -> None:
    recorded = Recorded([_exchange("node-1", b"1"), _exchange("node-1", b"2")])
    assert [(await recorded.fetch([_call()])).raws for _ in range(3)] == [(b"1",), (b"2",), (b"2",)]
    assert recorded.unused == []


async def test_each_node_answers_for_itself() -> None:
    exchanges = [_exchange("node-1", b"1"), _exchange("node-2", b"2")]
    recorded = Recorded(exchanges, labels=("node-1", "node-2", "node-3"))
    assert recorded.labels() == ("node-1", "node-2", "node-3")
    assert (await recorded.fetch_from("node-2", [_call()])).raws == (b"2",)
    assert (await recorded.fetch([_call()])).raws == (b"1",)
    with pytest.raises(NotRecorded):
        await recorded.fetch_from("node-3", [_call()])
    assert recorded.refused == []  # it was silent then, too


async def test_an_answer_that_cannot_be_decoded_is_an_error_of_the_node() -> None:
    def decode(raw: bytes) -> object:
        raise ValueError(f"no {raw!r}")

    recorded = Recorded([_exchange("node-1", b"1")])
    with pytest.raises(BadAnswer, match="node-1"):
        await recorded.fetch([Call("eth_chainId", ("0x1", True), decode)])
