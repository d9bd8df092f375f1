"""Every kind of object of the demo chain, encoded by us and by the execution specs alike."""

import json
from collections.abc import Iterator

import pytest
from eth_account import Account as EthAccount
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracles import specs
from tests.oracles.ours import Json, raw_of, value_of
from validation.devnode import archive
from validation.devnode.chain import Chain
from validation.proofs import Account, ordered_root, prove, rlp
from validation.rpc.schema import Withdrawal
from validation.validators.trie_values import withdrawal_value

A_TYPE = 40  # transactions of each of the five


@pytest.fixture(scope="module")
def chain() -> Chain:
    return Chain(archive.read(archive.PACKAGED))


def blocks(chain: Chain, step: int = 1) -> Iterator[Json]:
    for number in range(0, chain.latest + 1, step):
        yield json.loads(chain.block_json(number, full=True))


def receipts(chain: Chain, number: int) -> list[Json]:
    return list(json.loads(chain.receipts_json(number)))


def test_the_specs_hash_every_header_to_the_hash_it_has(chain: Chain) -> None:
    assert [specs.header_hash(block) for block in blocks(chain)] == chain.blocks


def test_every_type_of_transaction_has_one_hash_and_one_sender_for_everybody(chain: Chain) -> None:
    left = dict.fromkeys(("0x0", "0x1", "0x2", "0x3", "0x4"), A_TYPE)
    for block in blocks(chain):
        for tx in block["transactions"]:
            if left[tx["type"]]:
                left[tx["type"]] -= 1
                raw = raw_of(tx)
                assert tx["hash"] == "0x" + keccak(raw).hex() == specs.transaction_hash(raw)
                assert tx["from"] == specs.sender(raw, chain.chain_id)
                assert tx["from"] == EthAccount.recover_transaction(raw).lower()
    assert not any(left.values()), f"not in the chain: {left}"


def test_receipts_and_roots_of_blocks_are_those_of_the_specs(chain: Chain) -> None:
    for block in blocks(chain, step=16):
        raws = [raw_of(tx) for tx in block["transactions"]]
        given_receipts = receipts(chain, int(block["number"], 16))
        values = [value_of(receipt) for receipt in given_receipts]
        assert values == [specs.receipt_value(receipt) for receipt in given_receipts]
        for root, held in (("transactionsRoot", raws), ("receiptsRoot", values)):
            found = "0x" + ordered_root(held).hex()
            assert found == block[root] == specs.ordered_root(held), (block["number"], root)


@settings(deadline=None)
@given(st.tuples(*[st.integers(0, 2**64 - 1)] * 3, st.binary(min_size=20, max_size=20)))
def test_withdrawals_are_encoded_as_the_specs_do(given_: tuple[int, int, int, bytes]) -> None:
    index, validator, amount, address = given_
    ours = withdrawal_value(
        Withdrawal(
            index=hex(index),
            validator_index=hex(validator),
            address="0x" + address.hex(),
            amount=hex(amount),
        )
    )
    assert ours == specs.withdrawal_value(index, validator, address, amount)


def test_accounts_and_the_state_they_make_are_those_of_the_specs(chain: Chain) -> None:
    held: dict[bytes, bytes] = {}
    root = bytes.fromhex(chain.state_root[2:])
    for address, account in chain.accounts.items():
        proof = json.loads(chain.proof_json(address, []))
        storage_root = bytes.fromhex(proof["storageHash"][2:])
        nodes = [bytes.fromhex(node[2:]) for node in proof["accountProof"]]
        key = bytes.fromhex(address[2:])
        value = prove(root, keccak(key), nodes)
        nonce, balance = int(account.nonce, 16), int(account.balance, 16)
        code = bytes.fromhex(account.code[2:])
        assert value == specs.account_value(nonce, balance, code, storage_root)
        assert Account.read(value) == (nonce, balance, storage_root, keccak(code))
        held[key] = value
    assert specs.root(held, secured=True) == chain.state_root


@settings(deadline=None)
@given(st.recursive(st.binary(max_size=60), lambda inner: st.lists(inner, max_size=5)))
def test_rlp_is_that_of_the_specs(item: rlp.Item) -> None:
    assert rlp.encode(item) == specs.rlp_encode(item)
    assert rlp.decode(specs.rlp_encode(item)) == item


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_what_rlp_refuses_the_specs_refuse(data: bytes) -> None:
    try:
        item = rlp.decode(data)
    except rlp.Malformed:
        assert specs.rlp_decode(data) is None
    else:
        assert specs.rlp_decode(data) == item
