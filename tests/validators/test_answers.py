"""Decoders of answers: what is read, what is refused with which words, and that nothing raises."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.validators.world import Json, block_of, receipt_of, signed
from validation.rpc.answers import (
    Answer,
    Unreadable,
    read_block,
    read_data,
    read_lean_block,
    read_quantity,
    read_quantity_64,
    read_receipt,
    read_transaction,
)

READERS = [read_transaction, read_receipt, read_block, read_lean_block]
TEXT_READERS = [read_quantity, read_quantity_64, read_data]


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def refusal(read: object) -> str:
    assert isinstance(read, Unreadable), read
    return read.detail


@pytest.mark.parametrize("reader", READERS)
def test_null_is_none(reader: object) -> None:
    assert reader(b"null") is None  # type: ignore[operator]


@pytest.mark.parametrize("number", range(5))
def test_well_formed_answers_are_read(number: int) -> None:
    tx = signed(number)
    for reader, answer in (
        (read_transaction, tx),
        (read_receipt, receipt_of(tx)),
        (read_block, block_of([tx])),
    ):
        read = reader(encoded(answer))
        assert isinstance(read, Answer)
        assert read.unknown == ()
        assert read.value.__hash__ is not None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nonce": "0x05"}, "nonce is '0x05', not a hex quantity of at most 64 bits"),
        ({"nonce": "0x1" + "0" * 16}, "nonce is"),
        ({"value": "0x" + "1" * 65}, "value is"),
        ({"value": "0x"}, "value is '0x'"),
        ({"value": "0x1_0"}, "value is '0x1_0'"),
        ({"value": " 0x1"}, "value is ' 0x1'"),
        ({"value": "-0x1"}, "value is"),
        ({"value": "0x\u0661"}, "value is"),
        ({"value": "0x1\n"}, "value is"),
        ({"value": "0x1,0x1"}, "value is"),
        ({"value": 5}, "value is 5: Expected"),
        ({"value": 1e300}, "value is 1e+300: Expected"),
        ({"hash": "0x" + "ab" * 31}, "hash is"),
        ({"hash": None}, "hash is None: Expected"),
        ({"to": "0x" + "ab" * 19}, "to is"),
        ({"input": "0xabc"}, "input is '0xabc', not 0x and whole bytes"),
        ({"input": "0xab cd"}, "input is"),
        ({"yParity": "0x2"}, "yParity is '0x2', not 0x0 or 0x1"),
        ({"type": "0x02"}, "type is '0x02'"),
        ({"gas": None}, "gas is null"),
        ({"accessList": None}, "accessList is null"),
        ({"accessList": [{"address": "0x1", "storageKeys": []}]}, "accessList address is '0x1'"),
        ({"accessList": [{"address": "0x" + "1" * 40, "storageKeys": ["0x1"]}]}, "storageKeys"),
        ({"accessList": [{"address": "0x" + "1" * 40}]}, "storageKeys"),
        ({"accessList": [{"address": 1}]}, "accessList"),
    ],
)
def test_a_malformed_transaction_names_field_and_value(change: Json, words: str) -> None:
    assert words in refusal(read_transaction(encoded(signed(2) | change)))


@pytest.mark.parametrize("lacks", ["nonce", "gas", "value", "input", "r", "s", "chainId", "from"])
def test_a_missing_field_is_named(lacks: str) -> None:
    tx = signed(2)
    del tx[lacks]
    assert lacks in refusal(read_transaction(encoded(tx)))


def test_a_typed_transaction_without_any_parity_is_malformed() -> None:
    tx = signed(2)
    del tx["v"], tx["yParity"]
    assert "yParity is missing" in refusal(read_transaction(encoded(tx)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": "0x2"}, "status is '0x2'"),
        ({"status": None}, "status is missing"),
        ({"logsBloom": "0x00"}, "logsBloom is"),
        ({"logs": None}, "logs is None"),
        ({"cumulativeGasUsed": "1"}, "cumulativeGasUsed is '1'"),
    ],
)
def test_a_malformed_receipt_names_field_and_value(change: Json, words: str) -> None:
    assert words in refusal(read_receipt(encoded(receipt_of(signed(2)) | change)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"topics": ["0x" + "ab" * 32] * 5}, "log topics holds 5"),
        ({"topics": ["0xab"]}, "log topics is '0xab'"),
        ({"logIndex": "0x00"}, "logIndex is '0x00'"),
        ({"data": "0x1"}, "log data is '0x1'"),
        ({"removed": "no"}, "removed"),
    ],
)
def test_a_malformed_log_names_field_and_value(change: Json, words: str) -> None:
    receipt = receipt_of(signed(2))
    receipt["logs"][1] |= change
    assert words in refusal(read_receipt(encoded(receipt)))


def test_malformed_withdrawals_and_uncles_are_named() -> None:
    withdrawal = dict.fromkeys(("index", "validatorIndex", "amount"), "0x1") | {"address": "0x1"}
    block = block_of([])
    assert "withdrawals address" in refusal(
        read_block(encoded(block | {"withdrawals": [withdrawal]}))
    )
    assert "uncles is '0x1'" in refusal(read_block(encoded(block | {"uncles": ["0x1"]})))


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (b'"hash":"0x%s"' % (b"00" * 32), "twice"),
        (b'"odd":1,"odd":1', "twice"),
        (b'"odd":{"a":1,"a":2}', "twice"),
        (b'"odd":NaN', "JSON"),
        (b'"odd":Infinity', "JSON"),
        (b'"odd":1e400', "range"),
        (b'"odd":-1e400', "range"),
        (b'"odd":' + b"[" * 50_000 + b"]" * 50_000, "nested too deeply"),
        (b'"odd":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "nested too deeply"),
        (b'"odd":\xff', "JSON"),
    ],
)
@pytest.mark.parametrize("reader", READERS)
def test_json_that_two_parsers_could_read_differently_is_refused(
    reader: object, extra: bytes, words: str
) -> None:
    tx = signed(2)
    block = block_of([tx])
    answer = {
        read_transaction: tx,
        read_receipt: receipt_of(tx),
        read_block: block,
        read_lean_block: block | {"transactions": []},
    }[reader]  # type: ignore[index]
    text = encoded(answer)[:-1] + b"," + extra + b"}"
    if b'"hash"' in extra and reader is read_receipt:
        text = text.replace(b'"hash"', b'"transactionHash"')
    assert words in refusal(reader(text))  # type: ignore[operator]


def test_a_colon_in_a_text_hides_nothing() -> None:
    """Colons are counted to find unknown and doubled keys: more of them make it look closely."""
    tx = signed(2) | {"odd:name": "a:b"}
    read = read_transaction(encoded(tx))
    assert isinstance(read, Answer)
    assert read.unknown == ("odd:name",)


def test_unknown_fields_are_named_with_their_place_and_bounded() -> None:
    receipt = receipt_of(signed(2))
    receipt["logs"][0]["odd"] = 1
    receipt |= {f"{index}{'x' * 100}": 1 for index in range(100)}
    read = read_receipt(encoded(receipt))
    assert isinstance(read, Answer)
    assert "logs.odd" in read.unknown
    assert len(read.unknown) <= 8
    assert all(len(name) <= 40 for name in read.unknown)


def test_what_a_field_held_is_told_in_few_words() -> None:
    assert len(refusal(read_transaction(encoded(signed(2) | {"input": "x" * 10**6})))) < 300


@pytest.mark.parametrize(
    ("reader", "good", "bad"),
    [
        (read_quantity, ["0x0", "0x" + "f" * 64], ["0x", "0x00", "0x" + "1" * 65, "1", ""]),
        (read_quantity_64, ["0x0", "0x" + "f" * 16], ["0x1" + "0" * 16, "0x01"]),
        (read_data, ["0x", "0x00", "0xAb" * 1], ["0x0", "00", "0xgg"]),
    ],
)
def test_texts(reader: object, good: list[str], bad: list[str]) -> None:
    for text in good:
        assert reader(encoded(text)) == text  # type: ignore[operator]
    for text in bad:
        assert "result is" in refusal(reader(encoded(text)))  # type: ignore[operator]


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
        max_leaves=20,
    ).map(lambda value: json.dumps(value).encode())
)
def test_whatever_a_node_writes_no_decoder_raises(raw: bytes) -> None:
    for reader in READERS:
        assert isinstance(reader(raw), Answer | Unreadable | None)
    for text_reader in TEXT_READERS:
        assert isinstance(text_reader(raw), str | Unreadable)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_value_in_any_field_is_read_or_refused(data: st.DataObject) -> None:
    answer = receipt_of(signed(2))
    name = data.draw(st.sampled_from(sorted(answer)))
    answer[name] = data.draw(
        st.none() | st.integers() | st.text(max_size=70) | st.lists(st.text(max_size=5), max_size=3)
    )
    assert isinstance(read_receipt(msgspec.json.encode(answer)), Answer | Unreadable)
