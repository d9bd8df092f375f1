"""What blocks and accounts are proved by: receipts of a block, lean headers, proofs of accounts."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.validators.world import block_of, receipt_of, signed
from validation.rpc.answers import (
    MAX_PROOF_BYTES,
    Answer,
    Unreadable,
    read_block_receipts,
    read_header,
    read_lean_block,
    read_proof,
)
from validation.rpc.schema import Header, LeanBlock

READERS = [read_block_receipts, read_header, read_proof]
SLOT = {"key": "0x0", "value": "0x7", "proof": ["0xe0"]}
PROOF: dict[str, Any] = {
    "address": "0x" + "ab" * 20,
    "balance": "0x1",
    "nonce": "0x0",
    "codeHash": "0x" + "c5" * 32,
    "storageHash": "0x" + "56" * 32,
    "accountProof": ["0xf851" + "00" * 81, "0xf8"],
    "storageProof": [SLOT, SLOT | {"key": "0x" + "0" * 63 + "1", "proof": []}],
}


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def refusal(read: object) -> str:
    assert isinstance(read, Unreadable), read
    return read.detail


def value_of(read: object) -> Any:
    assert isinstance(read, Answer), read
    assert read.unknown == ()
    return read.value


@pytest.mark.parametrize("reader", READERS)
def test_null_is_none(reader: Any) -> None:
    assert reader(b"null") is None


def test_a_proof_is_read() -> None:
    proof = value_of(read_proof(encoded(PROOF)))
    assert (proof.nonce, proof.storage_hash) == ("0x0", PROOF["storageHash"])
    assert proof.account_proof == tuple(PROOF["accountProof"])
    assert [slot.value for slot in proof.storage_proof] == ["0x7", "0x7"]
    assert hash(proof) == hash(proof)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"balance": "0x01"}, "balance is '0x01'"),
        ({"codeHash": "0x12"}, "codeHash is '0x12'"),
        ({"nonce": None}, "nonce is None: Expected `str`, got `null`"),
        ({"accountProof": ["0x0"]}, "accountProof[0] is '0x0', not 0x and whole bytes"),
        ({"accountProof": ["0xzz"]}, "accountProof[0] is '0xzz'"),
        ({"accountProof": ["0x"] * 66}, "accountProof holds 66 nodes, more than 65"),
        ({"accountProof": ["0x" + "0" * 2048]}, "accountProof[0] has 2050 characters"),
        ({"storageProof": [SLOT] * 65}, "storageProof holds 65 slots, more than 64"),
        ({"storageProof": [SLOT, SLOT | {"key": "0x"}]}, "storageProof[1] key is '0x'"),
        ({"storageProof": [SLOT | {"value": "7"}]}, "storageProof[0] value is '7'"),
        ({"storageProof": [SLOT | {"proof": ["0x" * 40]}]}, "storageProof[0] proof[0] is"),
        ({"storageProof": [SLOT | {"proof": ["0x"] * 66}]}, "storageProof[0] proof holds 66 nodes"),
    ],
)
def test_what_is_wrong_with_a_proof_is_named(change: dict[str, Any], words: str) -> None:
    assert words in refusal(read_proof(encoded(PROOF | change)))


def test_a_proof_of_many_megabytes_is_not_looked_into() -> None:
    padded = encoded(PROOF) + b" " * MAX_PROOF_BYTES
    assert f"more than the {MAX_PROOF_BYTES}" in refusal(read_proof(padded))


def test_fields_of_a_proof_that_nobody_knows_are_named() -> None:
    read = read_proof(encoded(PROOF | {"odd": 1, "storageProof": [SLOT | {"new": "x"}]}))
    assert isinstance(read, Answer)
    assert set(read.unknown) == {"odd", "storageProof.new"}


def test_a_field_given_twice_is_refused() -> None:
    text = encoded(PROOF)[:-1] + b',"nonce":"0x1"}'
    assert "twice" in refusal(read_proof(text))


def test_the_receipts_of_a_block_are_read_and_the_wrong_one_is_named() -> None:
    receipts = [receipt_of(signed(number)) for number in (0, 2)]
    assert [read.type for read in value_of(read_block_receipts(encoded(receipts)))] == [
        receipt["type"] for receipt in receipts
    ]
    assert value_of(read_block_receipts(b"[]")) == ()
    receipts[1]["status"] = "0x2"
    assert "receipts[1] status is '0x2'" in refusal(read_block_receipts(encoded(receipts)))
    assert "Expected `array | null`" in refusal(read_block_receipts(encoded(receipts[0])))


def test_what_nobody_knows_in_one_of_many_receipts_is_named() -> None:
    receipts = [receipt_of(signed(number)) for number in (0, 2)]
    receipts[1]["odd"] = "0x1"
    read = read_block_receipts(encoded(receipts))
    assert isinstance(read, Answer)
    assert read.unknown == ("odd",)
    text = encoded(receipts)[:-2] + b',"odd":"0x2"}]'
    assert "twice" in refusal(read_block_receipts(text))


def test_a_header_leaves_the_hashes_of_its_transactions_behind() -> None:
    raw = encoded(block_of([signed(2)]) | {"transactions": ["0x" + "11" * 32]})
    header, lean = value_of(read_header(raw)), value_of(read_lean_block(raw))
    assert type(header) is Header
    assert type(lean) is LeanBlock
    assert {name: getattr(lean, name) for name in Header.__struct_fields__} == {
        name: getattr(header, name) for name in Header.__struct_fields__
    }


def test_a_block_with_whole_transactions_is_no_lean_header() -> None:
    assert isinstance(read_header(encoded(block_of([signed(2)]))), Unreadable)


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
        max_leaves=20,
    ).map(encoded)
)
def test_whatever_a_node_writes_no_reader_raises(raw: bytes) -> None:
    for reader in READERS:
        assert isinstance(reader(raw), Answer | Unreadable | None)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_value_in_any_field_of_a_proof_is_read_or_refused(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(PROOF)))
    value = data.draw(
        st.none() | st.integers() | st.text(max_size=70) | st.lists(st.text(max_size=5), max_size=3)
    )
    assert isinstance(read_proof(encoded(PROOF | {name: value})), Answer | Unreadable)


@pytest.mark.parametrize("bomb", [b"[" * 50_000 + b"]" * 50_000, b'{"a":' * 50_000, b"[" * 10**6])
def test_nesting_bombs_are_refused(bomb: bytes) -> None:
    for reader in READERS:
        assert isinstance(reader(bomb), Unreadable)
