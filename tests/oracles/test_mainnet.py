"""Real blocks, transactions, accounts and a proof of mainnet: the oracles agree, and so do we."""

import json

import pytest
import rlp
from eth_account import Account as EthAccount
from eth_utils.crypto import keccak

from tests.oracles import mainnet, specs
from tests.oracles.ours import raw_of
from tests.proofs import peer
from tests.validators.world import Node
from validation.devnode.trie import Trie
from validation.proofs import Account, BadProof, ordered_root, prove
from validation.subjects import parse_subject
from validation.validators import Outcome, Status, validate

# The package's test does not say whose account it proves; eth-proof, its sibling, asks for it.
PROVEN = "9cc9bf39a84998089050a90087e597c26758685d"


async def validated(number: int, level: int, **answers: object) -> Outcome:
    block = mainnet.block(number)
    said = {"eth_getBlockByHash": block, "eth_getBlockReceipts": None, **answers}
    node = Node({method: json.dumps(answer).encode() for method, answer in said.items()})
    subject = parse_subject(f"block:{block['hash']}")
    return await validate(subject, level=level, fetcher=node, chain_id=mainnet.CHAIN_ID)


@pytest.mark.parametrize("number", mainnet.NUMBERS)
async def test_a_real_block_is_valid_and_the_specs_hash_its_header_alike(number: int) -> None:
    block = mainnet.block(number)
    outcome = await validated(number, 2)
    assert (outcome.verdict, outcome.level) == ("valid", 2), outcome
    assert specs.old_header_hash(block, mainnet.fork(number)) == block["hash"]


@pytest.mark.parametrize("name", ["timestamp", "gasUsed", "miner", "extraData", "mixHash", "nonce"])
async def test_a_real_block_with_a_changed_field_is_not(name: str) -> None:
    real = mainnet.block(12_964_999)
    held = real[name]
    changed = held[:-1] + ("0" if held[-1] != "0" else "1")
    outcome = await validated(12_964_999, 2, eth_getBlockByHash=real | {name: changed})
    assert outcome.verdict == "invalid"


@pytest.mark.parametrize("number", mainnet.NUMBERS)
def test_the_transactions_of_a_real_block_have_its_root_for_everybody(number: int) -> None:
    block = mainnet.block(number)
    raws = encoded(number)
    assert "0x" + ordered_root(raws).hex() == block["transactionsRoot"]
    assert "0x" + peer.ordered_root(raws).hex() == block["transactionsRoot"]
    assert specs.ordered_root(raws) == block["transactionsRoot"]
    if raws:
        assert "0x" + ordered_root(raws[::-1]).hex() != block["transactionsRoot"]


def encoded(number: int) -> list[bytes]:
    return [raw_of(tx) for tx in mainnet.block(number)["transactions"]]


@pytest.mark.parametrize("number", [2_924_874, 12_964_999])
def test_every_real_transaction_has_one_hash_and_one_sender_for_everybody(number: int) -> None:
    for tx, raw in zip(mainnet.block(number)["transactions"], encoded(number), strict=True):
        assert "0x" + keccak(raw).hex() == tx["hash"] == specs.transaction_hash(raw)
        assert specs.sender(raw, mainnet.CHAIN_ID) == tx["from"]
        assert EthAccount.recover_transaction(raw).lower() == tx["from"]


@pytest.mark.parametrize("number", [2_924_874, 12_964_999])
async def test_every_real_transaction_passes_its_own_checks(number: int) -> None:
    """No package ships receipts of these: all that needs none passes, and the skip says so."""
    for tx in mainnet.block(number)["transactions"]:
        answers = {"eth_getTransactionByHash": tx, "eth_getTransactionReceipt": None}
        node = Node({method: json.dumps(said).encode() for method, said in answers.items()})
        subject = parse_subject(f"tx:{tx['hash']}")
        outcome = await validate(subject, level=2, fetcher=node, chain_id=mainnet.CHAIN_ID)
        statuses = {check.name: check.status for check in outcome.checks}
        assert {statuses[name] for name in ("hash", "signature", "sender")} == {Status.PASS}
        assert statuses["mined"] is Status.SKIP
        assert outcome.verdict == "unverifiable"


def genesis_accounts() -> dict[bytes, bytes]:
    alloc = mainnet.genesis()["alloc"]
    return {
        keccak(bytes.fromhex(address[2:])): specs.account_value(
            0, int(given["balance"], 16), b"", peer.root({})
        )
        for address, given in alloc.items()
    }


@pytest.fixture(scope="module")
def genesis_trie() -> Trie:
    return Trie(genesis_accounts().items())


def test_the_first_state_of_mainnet_has_its_known_root(genesis_trie: Trie) -> None:
    """So the tries that other tests compare with are right about 8 893 real accounts."""
    assert len(mainnet.genesis()["alloc"]) == 8_893
    assert "0x" + genesis_trie.root.hex() == mainnet.GENESIS_STATE_ROOT


def test_accounts_of_the_first_state_are_proved_as_py_trie_proves_them(genesis_trie: Trie) -> None:
    root = bytes.fromhex(mainnet.GENESIS_STATE_ROOT[2:])
    alloc = sorted(mainnet.genesis()["alloc"].items())
    for place, (address, given) in enumerate(alloc):
        key = keccak(bytes.fromhex(address[2:]))
        nodes = genesis_trie.proof(key)
        value = prove(root, key, nodes)
        assert Account.read(value or b"").balance == int(given["balance"], 16)
        if place % 40 == 0:
            assert peer.proven(root, key, nodes) == value


def test_accounts_that_the_first_state_lacks_are_proved_absent(genesis_trie: Trie) -> None:
    root = bytes.fromhex(mainnet.GENESIS_STATE_ROOT[2:])
    for number in range(1_000):
        key = keccak(number.to_bytes(20))
        assert prove(root, key, genesis_trie.proof(key)) is None


def test_a_proof_that_a_real_node_gave_proves_its_account() -> None:
    encoded_header, nodes = mainnet.proven_account()
    header = rlp.decode(encoded_header)
    root, key = header[3], keccak(bytes.fromhex(PROVEN))
    value = prove(root, key, nodes)
    assert value is not None
    assert value == peer.proven(root, key, nodes)
    account = Account.read(value)
    assert account.storage_root != peer.root({})  # a contract, which a real node would know
    with pytest.raises(BadProof):
        prove(root, keccak(bytes.fromhex(PROVEN)[::-1]), nodes)
