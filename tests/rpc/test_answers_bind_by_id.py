"""Whatever a node answers, a call gets its own answer or an error, never another's."""

import asyncio
import contextlib
import json
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rpc.fakes import NODE, FakeTransport
from tests.rpc.scripted import answer, as_json, echo, refusal
from validation.rpc import BadAnswer, CallRefused, Reply, RpcClient, RpcConfig, RpcError

type Calls = list[dict[str, Any]]


def client_with(transport: FakeTransport, **config: Any) -> RpcClient:
    return RpcClient(RpcConfig(nodes=(NODE,), max_attempts=1, **config), transport=transport)


def right(call: dict[str, Any]) -> dict[str, Any]:
    return answer(call, call["params"][0])


async def outcomes(respond: Any, groups: list[int]) -> list[Reply | BaseException]:
    """Fetches of these sizes in one batch, each call asking for its own name."""
    client = client_with(FakeTransport(lambda body: json.dumps(respond(as_json(body))).encode()))
    fetches = [
        client.fetch([echo(f"{number}.{part}") for part in range(size)])
        for number, size in enumerate(groups)
    ]
    results = await asyncio.gather(*fetches, return_exceptions=True)
    await client.aclose()
    return results


sizes = st.lists(st.integers(1, 4), min_size=2, max_size=8)
seeds = st.integers(0, 2**32)


@given(sizes, seeds, st.data())
@settings(deadline=None)
def test_any_order_with_errors_of_single_calls(
    groups: list[int], seed: int, data: st.DataObject
) -> None:
    random = Random(seed)
    names = [f"{number}.{part}" for number, size in enumerate(groups) for part in range(size)]
    refused = data.draw(st.sets(st.sampled_from(names)))

    def respond(calls: Calls) -> list[Any]:
        told = [
            refusal(call, -32000, f"no {call['params'][0]}")
            if call["params"][0] in refused
            else right(call)
            for call in calls
        ]
        random.shuffle(told)
        return told

    for number, result in enumerate(asyncio.run(outcomes(respond, groups))):
        own = [f"{number}.{part}" for part in range(groups[number])]
        if refused.isdisjoint(own):
            assert isinstance(result, Reply)
            assert result.values == tuple(own)
        else:
            assert isinstance(result, CallRefused)
            assert any(f"no {name} " in str(result) for name in own)


def _drop_one(told: Calls, random: Random) -> None:
    told.pop(random.randrange(len(told)))


def _add_one(told: Calls, random: Random) -> None:
    told.append(dict(random.choice(told), id=random.getrandbits(50)))


def _double_one(told: Calls, random: Random) -> None:
    one, two = random.sample(range(len(told)), 2)
    told[one] = dict(told[one], id=told[two]["id"])


def _foreign_id(told: Calls, random: Random) -> None:
    random.choice(told)["id"] += len(told)


def _id_as(change: Any) -> Any:
    def apply(told: Calls, random: Random) -> None:
        one = random.choice(told)
        one["id"] = change(one["id"])

    return apply


def _without(key: str) -> Any:
    def apply(told: Calls, random: Random) -> None:
        del random.choice(told)[key]

    return apply


def _with(**fields: Any) -> Any:
    def apply(told: Calls, random: Random) -> None:
        random.choice(told).update(fields)

    return apply


WRONGS = [
    _drop_one,
    _add_one,
    _double_one,
    _foreign_id,
    _id_as(str),
    _id_as(float),
    _id_as(lambda _: True),
    _id_as(lambda _: None),
    _id_as(lambda number: [number]),
    _id_as(lambda number: -number),
    _without("id"),
    _without("result"),
    _without("jsonrpc"),
    _with(jsonrpc="1.0"),
    _with(error={"code": -1, "message": "and a result"}),
]


@pytest.mark.parametrize("wrong", WRONGS)
@given(sizes, seeds)
@settings(max_examples=20, deadline=None)
def test_one_wrong_answer_condemns_the_whole_batch(
    wrong: Any, groups: list[int], seed: int
) -> None:
    random = Random(seed)

    def respond(calls: Calls) -> Calls:
        told = [right(call) for call in calls]
        wrong(told, random)
        random.shuffle(told)
        return told

    results = asyncio.run(outcomes(respond, groups))
    assert all(isinstance(result, BadAnswer) for result in results)


async def test_ids_are_not_the_same_twice() -> None:
    seen: list[int] = []

    def respond(body: bytes) -> bytes:
        call = as_json(body)
        seen.append(call["id"])
        return json.dumps(right(call)).encode()

    client = client_with(FakeTransport(respond))
    for _ in range(20):
        await client.fetch([echo("x")])
    assert len(set(seen)) == 20
    assert not any(later == earlier + 1 for earlier, later in pairwise(seen))


def hostile(body: bytes, random: Random) -> bytes:
    """An answer that is wrong in one of many ways, or by luck right."""
    calls = as_json(body)
    told: Any = [right(call) for call in calls]
    for _ in range(random.randrange(3)):
        with contextlib.suppress(
            KeyError, TypeError, ValueError
        ):  # the first wrong took what the next needs
            random.choice(WRONGS)(told, random)
    random.shuffle(told)
    text = bytearray(json.dumps(told).encode())
    match random.randrange(6):
        case 0:  # bytes flipped anywhere: names, ids, structure
            for _ in range(random.randrange(1, 4)):
                text[random.randrange(len(text))] ^= 1 << random.randrange(7)
        case 1:
            del text[random.randrange(len(text)) :]
        case 2:
            at = random.randrange(len(text))
            text[at:at] = random.randbytes(random.randrange(1, 9))
        case 3:
            return json.dumps(random.choice([*told[:1], {}, [], None, 1, "x", [told]])).encode()
        case 4:  # the same value under a key given twice
            text = bytearray(bytes(text).replace(b'"result":', b'"result": "evil", "result":', 1))
    return bytes(text)


async def test_ten_thousand_hostile_answers_bind_nothing_wrongly() -> None:
    """A flipped bit within a value is the node's lie, for a validator to find; a value that
    belongs to another call, or half a fetch, is this client's to prevent.
    """
    random = Random(7)
    transport = FakeTransport(lambda body: hostile(body, random))
    client = client_with(transport)
    right_ones = errors = 0
    while transport.posts < 10_000:
        names = [[n * 8 + part for part in "ab"] for n in "123"]
        results = await asyncio.gather(
            *(client.fetch([echo(name) for name in group]) for group in names),
            return_exceptions=True,
        )
        for group, result in zip(names, results, strict=True):
            if isinstance(result, Reply):
                right_ones += 1
                others = {name for other in names for name in other} - set(group)
                assert others.isdisjoint(result.values)
                assert "evil" not in result.values
            else:
                assert isinstance(result, RpcError)
                assert result.reason in {"bad_answer", "batch_refused", "call_refused"}
                errors += 1
    assert right_ones > 500
    assert errors > 10_000
    assert client.snapshot()["in_flight"] == client.snapshot()["waiting"] == 0
