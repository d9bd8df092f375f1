"""Encoding and recovery agree with `rlp` and eth-account, for every type and every fork."""

import json

import pytest
import rlp as peer
from eth_account import Account
from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.validators import oracle
from tests.validators.world import FORKS, Json, hash_header, header_at, signed, unsigned
from validation.rpc.answers import Answer, read_lean_block, read_transaction
from validation.rpc.schema import LeanBlock, Transaction
from validation.validators import crypto, rlp
from validation.validators.envelope import rebuild
from validation.validators.header import header_hash
from validation.validators.signing import signer

ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda held: "0x" + held.hex())
WORDS = st.binary(min_size=32, max_size=32).map(lambda held: "0x" + held.hex())
KEYS = st.integers(min_value=1, max_value=2**200).map(lambda key: "0x" + f"{key:064x}")
MONEY = st.integers(min_value=0, max_value=2**100)


@st.composite
def transactions(draw: st.DrawFn, number: int) -> tuple[Json, str]:
    """Fields of a transaction of a type, and the key that signs them."""
    fields = unsigned(number)
    for name in fields:
        if name in {"value", "gasPrice", "maxFeePerBlobGas"}:
            fields[name] = draw(MONEY)
    fields["nonce"] = draw(st.integers(min_value=0, max_value=2**64 - 2))
    fields["gas"] = draw(st.integers(min_value=21_000, max_value=2**63))
    fields["chainId"] = draw(st.integers(min_value=1, max_value=2**40))
    fields["data"] = "0x" + draw(st.binary(max_size=300)).hex()
    if number < 3 and draw(st.booleans()):
        del fields["to"]
    else:
        fields["to"] = to_checksum_address(draw(ADDRESSES))
    if number == 0 and draw(st.booleans()):
        del fields["chainId"]
    if number:
        entries = st.tuples(ADDRESSES, st.lists(WORDS, max_size=3))
        fields["accessList"] = [
            {"address": to_checksum_address(address), "storageKeys": keys}
            for address, keys in draw(st.lists(entries, max_size=3))
        ]
    if number >= 2:
        fields["maxPriorityFeePerGas"] = draw(MONEY)
        fields["maxFeePerGas"] = fields["maxPriorityFeePerGas"] + draw(MONEY)
    if number == 4:
        other = Account.from_key(draw(KEYS))
        authorization = {
            "chainId": fields["chainId"],
            "address": to_checksum_address(draw(ADDRESSES)),
            "nonce": draw(st.integers(min_value=0, max_value=2**32)),
        }
        fields["authorizationList"] = [other.sign_authorization(authorization)]
    return fields, draw(KEYS)


def read(tx: Json) -> Transaction:
    answer = read_transaction(json.dumps(tx).encode())
    assert isinstance(answer, Answer), answer
    assert isinstance(answer.value, Transaction)
    return answer.value


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_hash_and_sender_agree_with_eth_account(number: int, data: st.DataObject) -> None:
    fields, key = data.draw(transactions(number))
    claimed = signed(number, fields, key=key)
    tx = read(claimed)
    envelope = rebuild(tx)
    assert envelope.hash == claimed["hash"] == oracle.envelope_hash(claimed)
    assert envelope.chain_id == fields.get("chainId")
    address, flaw = signer(tx, envelope, chain_id=None)
    assert not flaw
    assert address == Account.from_key(key).address.lower()


@settings(max_examples=300)
@given(st.binary(max_size=70) | st.binary(min_size=250, max_size=70_000))
def test_data_agrees_with_rlp(content: bytes) -> None:
    assert rlp.data("0x" + content.hex()) == peer.encode(content).hex()


@given(st.integers(min_value=0, max_value=300) | st.integers(min_value=0, max_value=2**256 - 1))
def test_quantities_agree_with_rlp(number: int) -> None:
    expected = peer.encode(number).hex()
    assert rlp.quantity(hex(number)) == expected
    assert rlp.quantity("0x" + f"{number:X}").lower() == expected


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_lists_agree_with_rlp(items: list[bytes]) -> None:
    payload = "".join(rlp.data("0x" + item.hex()) for item in items)
    assert rlp.sequence(payload) == peer.encode(items).hex()


@pytest.mark.parametrize("size", [0, 1, 55, 56, 255, 256, 65_535, 65_536])
def test_length_boundaries_agree_with_rlp(size: int) -> None:
    content = b"\xff" * size
    assert rlp.data("0x" + content.hex()) == peer.encode(content).hex()
    assert rlp.sequence("05" * size) == peer.encode([b"\x05"] * size).hex()


@pytest.mark.parametrize("fork", FORKS)
def test_headers_of_every_fork_agree_with_rlp(fork: str) -> None:
    fields = header_at(fork)
    answer = read_header(fields)
    assert header_hash(answer) == hash_header(fields)


def read_header(fields: Json) -> LeanBlock:
    block = {"hash": "0x" + "00" * 32, **fields, "transactions": []}
    answer = read_lean_block(json.dumps(block).encode())
    assert isinstance(answer, Answer), answer
    assert isinstance(answer.value, LeanBlock)
    return answer.value


def test_the_genesis_of_ethereum() -> None:
    empty = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
    genesis = read_header(
        {
            "parentHash": "0x" + "00" * 32,
            "sha3Uncles": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
            "miner": "0x" + "00" * 20,
            "stateRoot": "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544",
            "transactionsRoot": empty,
            "receiptsRoot": empty,
            "logsBloom": "0x" + "00" * 256,
            "difficulty": "0x400000000",
            "number": "0x0",
            "gasLimit": "0x1388",
            "gasUsed": "0x0",
            "timestamp": "0x0",
            "extraData": "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa",
            "mixHash": "0x" + "00" * 32,
            "nonce": "0x0000000000000042",
        }
    )
    known = "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"
    assert header_hash(genesis) == known


@given(st.binary(max_size=400))
def test_keccak_agrees(content: bytes) -> None:
    assert crypto.keccak256(content) == keccak(content)


@given(ADDRESSES)
def test_checksums_agree_with_eth_utils(address: str) -> None:
    assert crypto.checksum_address(address) == to_checksum_address(address)


@given(ADDRESSES, st.integers(min_value=0, max_value=2**64 - 1))
def test_created_addresses_agree_with_rlp(sender: str, nonce: int) -> None:
    expected = keccak(peer.encode([bytes.fromhex(sender[2:]), nonce]))[12:].hex()
    assert crypto.created_address(sender, hex(nonce)) == "0x" + expected
