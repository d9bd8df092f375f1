"""Each method's answers, and what each refuses."""

from typing import Any

import pytest
from tiny_keccak import keccak256

from tests.devnode.asking import Within
from tests.devnode.test_trie import walked
from validation.devnode.chain import Chain
from validation.devnode.consensus import raw
from validation.devnode.rlp import encode

ABSENT = "0x" + "a0" * 20
ABSENT_HASH = "0x" + "a0" * 32


def test_who_it_is(node: Within, chain: Chain) -> None:
    assert node.result("eth_chainId") == "0x7a69"
    assert node.result("net_version") == "31337"
    assert node.result("eth_blockNumber") == hex(chain.latest)
    assert node.result("web3_clientVersion").startswith("switchyard-devnode/")


def test_a_transaction_and_its_receipt(node: Within, chain: Chain) -> None:
    wanted = chain.transactions[5000]
    for asked in (wanted, "0x" + wanted[2:].upper()):
        tx = node.result("eth_getTransactionByHash", asked)
        assert tx["hash"] == wanted
        assert node.result("eth_getTransactionReceipt", asked)["transactionHash"] == wanted


def test_a_block_by_number_tag_and_hash_is_the_same(node: Within, chain: Chain) -> None:
    plain = node.result("eth_getBlockByNumber", hex(chain.latest), False)
    assert (
        node.result("eth_getBlockByHash", chain.blocks[-1].upper().replace("X", "x"), False)
        == plain
    )
    for tag in ("latest", "pending", "safe", "finalized"):
        assert node.result("eth_getBlockByNumber", tag, False) == plain
    assert node.result("eth_getBlockByNumber", "earliest", False)["number"] == "0x0"


def test_a_block_holds_hashes_or_transactions(node: Within, chain: Chain) -> None:
    hashes = node.result("eth_getBlockByNumber", "0x64", False)["transactions"]
    full = node.result("eth_getBlockByNumber", "0x64", True)["transactions"]
    assert hashes
    assert [tx["hash"] for tx in full] == hashes
    assert full[0] == node.result("eth_getTransactionByHash", hashes[0])


def test_block_receipts_by_number_hash_and_eip_1898(node: Within, chain: Chain) -> None:
    by_number = node.result("eth_getBlockReceipts", "0x64")
    assert by_number[1] == node.result("eth_getTransactionReceipt", by_number[1]["transactionHash"])
    for same in (chain.blocks[100], {"blockHash": chain.blocks[100]}, {"blockNumber": "0x64"}):
        assert node.result("eth_getBlockReceipts", same) == by_number


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("eth_getTransactionByHash", [ABSENT_HASH]),
        ("eth_getTransactionReceipt", [ABSENT_HASH]),
        ("eth_getBlockByHash", [ABSENT_HASH, True]),
        ("eth_getBlockByNumber", ["0xffffff", True]),
        ("eth_getBlockReceipts", ["0xffffff"]),
        ("eth_getBlockReceipts", [ABSENT_HASH]),
    ],
)
def test_what_does_not_exist_is_null(node: Within, method: str, params: list[Any]) -> None:
    assert node.result(method, *params) is None


def test_accounts_at_the_newest_block(node: Within, chain: Chain) -> None:
    rich = next(a for a in chain.accounts.values() if a.code != "0x" and len(a.storage) > 5)
    upper = "0x" + rich.address[2:].upper()
    for block in ("latest", "pending", "safe", "finalized", hex(chain.latest), chain.blocks[-1]):
        assert node.result("eth_getBalance", rich.address, block) == rich.balance
        assert node.result("eth_getTransactionCount", upper, block) == rich.nonce
        assert node.result("eth_getCode", rich.address, block) == rich.code
    assert node.result("eth_getBalance", rich.address) == rich.balance


def test_an_absent_account_has_nothing(node: Within) -> None:
    assert node.result("eth_getBalance", ABSENT, "latest") == "0x0"
    assert node.result("eth_getTransactionCount", ABSENT, "latest") == "0x0"
    assert node.result("eth_getCode", ABSENT, "latest") == "0x"


@pytest.mark.parametrize("block", ["0x1", "earliest", {"blockNumber": "0x1"}])
def test_older_state_is_refused_and_said_so(node: Within, block: object) -> None:
    for method in ("eth_getBalance", "eth_getTransactionCount", "eth_getCode"):
        code, message = node.error(method, ABSENT, block)
        assert code == -32001
        assert "state not available at block" in message
    assert node.error("eth_getProof", ABSENT, [], block)[0] == -32001


def test_state_of_a_block_that_is_not_there(node: Within) -> None:
    assert node.error("eth_getBalance", ABSENT, "0xffffff")[1] == (
        "block '0xffffff' does not exist here"
    )


def test_proofs_of_accounts_present_and_absent(node: Within, chain: Chain) -> None:
    for address in (*chain.addresses[::100], ABSENT, "0x" + "00" * 20):
        found = node.result("eth_getProof", address, [], "latest")
        fields = [raw(hex_padded(found[name])) for name in ("nonce", "balance")]
        value = encode([*fields, raw(found["storageHash"]), raw(found["codeHash"])])
        shown = walked(
            raw(chain.state_root), keccak256(raw(address)), list(map(raw, found["accountProof"]))
        )
        assert shown == (value if address in chain.accounts else None)


def hex_padded(quantity: str) -> str:
    digits = quantity[2:].lstrip("0")
    return "0x" + digits.zfill(len(digits) + len(digits) % 2)


def test_proofs_of_storage_present_and_absent(node: Within, chain: Chain) -> None:
    rich = max(chain.accounts.values(), key=lambda account: len(account.storage))
    slots = [*list(rich.storage)[:20], "0x" + "77" * 32, "0x1"]
    found = node.result("eth_getProof", rich.address, slots, "latest")
    assert [proof["key"] for proof in found["storageProof"]] == slots
    for slot, proof in zip(slots, found["storageProof"], strict=True):
        key = keccak256(int(slot, 16).to_bytes(32))
        shown = walked(raw(found["storageHash"]), key, list(map(raw, proof["proof"])))
        value = raw(hex_padded(proof["value"]))
        assert shown == (encode(value) if value else None)
    assert sum(proof["value"] != "0x0" for proof in found["storageProof"]) >= 20


WRONG: list[tuple[str, list[Any], str]] = [
    ("eth_chainId", [1], "1 given, none expected"),
    ("eth_getTransactionByHash", [], "transaction hash is missing"),
    ("eth_getTransactionByHash", ["0x12"], "transaction hash must be a hash of 32 bytes"),
    ("eth_getTransactionByHash", [{}], "not {}"),
    ("eth_getTransactionByHash", [ABSENT_HASH, 1], "2 given, transaction hash expected"),
    ("eth_getTransactionReceipt", [7], "transaction hash must be"),
    ("eth_getBlockByNumber", ["0x1"], "full transactions is missing"),
    ("eth_getBlockByNumber", ["0x1", "yes"], "full transactions must be true or false"),
    ("eth_getBlockByNumber", ["0x01", True], "block must be a tag or a number in hex"),
    ("eth_getBlockByNumber", [1, True], "not 1"),
    ("eth_getBlockByNumber", ["newest", True], "not 'newest'"),
    ("eth_getBlockByNumber", ["0x", True], "not '0x'"),
    ("eth_getBlockByNumber", ["0x\u0661", True], "block must be"),
    ("eth_getBlockByHash", ["0x1", True], "block hash must be"),
    ("eth_getBlockReceipts", [None], "block must be"),
    ("eth_getBlockReceipts", [{}], "block must be"),
    ("eth_getBalance", ["0x12", "latest"], "address must be an address of 20 bytes"),
    ("eth_getBalance", [5, "latest"], "address must be"),
    ("eth_getBalance", [ABSENT, ["latest"]], "block must be"),
    ("eth_getCode", [ABSENT, "latest", 1], "3 given"),
    ("eth_getProof", [ABSENT, "0x1", "latest"], "storageKeys must be a list"),
    ("eth_getProof", [ABSENT, ["0x1", "1"], "latest"], "storageKeys[1] must be a slot"),
    ("eth_getProof", [ABSENT, ["0x1"] * 1025, "latest"], "at most 1024 slots"),
    ("eth_getProof", [ABSENT], "storageKeys is missing"),
]


@pytest.mark.parametrize(("method", "params", "says"), WRONG)
def test_bad_parameters_are_named(node: Within, method: str, params: list[Any], says: str) -> None:
    code, message = node.error(method, *params)
    assert code == -32602
    assert says in message
    assert len(message) < 300


def test_a_long_value_is_cut_in_the_message(node: Within) -> None:
    assert len(node.error("eth_getBalance", "x" * 100_000, "latest")[1]) < 300
