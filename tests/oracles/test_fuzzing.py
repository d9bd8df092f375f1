"""Anything at all in place of an answer: an outcome, never a defect, and no lie is valid."""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.oracles.liar import Liar, Question, true_answer
from tests.oracles.mutations import Mutation, Path
from validation.devnode import archive
from validation.devnode.chain import Chain
from validation.devnode.methods import Method, methods
from validation.rpc import Call
from validation.subjects import parse_subject
from validation.validators import Grounds, Outcome, validate

BLOCK = 28

CHAIN = Chain(archive.read(archive.PACKAGED))
TRUTH = methods(CHAIN)

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.binary(max_size=40).map(lambda data: "0x" + data.hex())
    | st.integers(0, 2**260).map(hex)
)
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


class Item(NamedTuple):
    subject: str
    questions: tuple[tuple[str, tuple[object, ...]], ...]


def items() -> list[Item]:
    block = msgspec.json.decode(CHAIN.block_json(BLOCK, full=True))
    own = block["hash"]
    whole = (("eth_getBlockByHash", (own, True)), ("eth_getBlockReceipts", (own,)))
    txs = [
        Item(
            f"tx:{tx['hash']}",
            (
                ("eth_getTransactionByHash", (tx["hash"],)),
                ("eth_getTransactionReceipt", (tx["hash"],)),
                *whole,
            ),
        )
        for tx in block["transactions"][:2]
    ]
    address = next(each for each, held in CHAIN.accounts.items() if held.code != "0x")
    told = ("eth_getBalance", "eth_getTransactionCount", "eth_getCode")
    account = Item(
        f"address:{address}",
        (
            ("eth_getProof", (address, (), "latest")),
            ("eth_getBlockByNumber", ("latest", False)),
            *((method, (address, "latest")) for method in told),
        ),
    )
    return [*txs, Item(f"block:{own}", whole), account]


ITEMS = items()


class Garbler(Liar):
    """Gives bytes as they are in place of one answer."""

    def __init__(self, truth: Mapping[str, Method], question: Question, raw: bytes) -> None:
        super().__init__(truth, {})
        self._question, self._garbled = question, raw

    def _raw(self, call: Call) -> bytes:
        if (call.method, str(call.params[0])) == self._question:
            return self._garbled
        return super()._raw(call)


def outcome_of(item: Item, question: Question, raw: bytes) -> Outcome:
    node, grounds = Garbler(TRUTH, question, raw), Grounds(chain_id=CHAIN.chain_id)
    subject = parse_subject(item.subject)
    return asyncio.run(validate(subject, level=3, fetcher=node, grounds=grounds))


def paths(value: Any, path: Path = ()) -> list[Path]:
    inner: list[Path] = []
    if isinstance(value, dict):
        inner = [found for name in value for found in paths(value[name], (*path, name))]
    elif isinstance(value, list):
        inner = [found for at, each in enumerate(value) for found in paths(each, (*path, at))]
    return [path, *inner]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(ITEMS), st.data())
def test_anything_in_place_of_a_part_of_an_answer_is_no_defect(
    item: Item, data: st.DataObject
) -> None:
    method, params = data.draw(st.sampled_from(item.questions))
    truth = msgspec.json.decode(true_answer(TRUTH, *params, method=method))
    path = data.draw(st.sampled_from(paths(truth)))
    lie = Mutation(path, "", data.draw(anything)).applied_to(truth)
    outcome = outcome_of(item, (method, str(params[0])), msgspec.json.encode(lie))
    assert outcome.reason != "internal", (path, outcome)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ITEMS), st.data(), st.binary(max_size=60))
def test_any_bytes_in_place_of_an_answer_are_the_nodes_error(
    item: Item, data: st.DataObject, raw: bytes
) -> None:
    method, params = data.draw(st.sampled_from(item.questions))
    outcome = outcome_of(item, (method, str(params[0])), raw)
    assert outcome.verdict != "valid"
    assert outcome.reason != "internal", outcome


BOMBS = {
    "lists": b"[" * 200_000,
    "closed lists": b"[" * 50_000 + b"]" * 50_000,
    "objects": b'{"transactions":' * 50_000,
    "a long number": b"9" * 100_000,
    "a long text": b'"0x' + b"f" * 2_000_000 + b'"',
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.subject.split(":")[0])
def test_a_bomb_in_place_of_an_answer_is_refused(item: Item, bomb: str) -> None:
    for method, params in item.questions:
        outcome = outcome_of(item, (method, str(params[0])), BOMBS[bomb])
        assert outcome.verdict in {"error", "unverifiable", "invalid"}, (method, outcome)
        assert outcome.reason != "internal", (method, outcome)
