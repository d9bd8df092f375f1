"""The packaged data is what it says: enough of everything, and every hash of it verifies."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import brotli
import pytest
import rlp
from eth_account import Account
from eth_utils.crypto import keccak

from validation.devnode import archive, consensus, packaged
from validation.devnode.chain import Chain

MB = 1_000_000


@pytest.fixture(scope="module")
def packed() -> archive.Archive:
    return archive.read(archive.PACKAGED)


@pytest.fixture(scope="module")
def blocks(packed: archive.Archive) -> list[tuple[dict[str, Any], list[Any], list[Any]]]:
    return [
        (
            json.loads(block.header),
            [json.loads(tx) for tx in block.transactions],
            [json.loads(receipt) for receipt in block.receipts],
        )
        for block in packed.blocks
    ]


def test_it_is_large_enough_and_small_enough(chain: Chain) -> None:
    assert len(chain.blocks) >= 300
    assert len(chain.transactions) >= 10_000
    assert len(set(chain.transactions)) == len(chain.transactions)
    assert archive.PACKAGED.stat().st_size <= 8 * MB


def test_it_holds_every_type_creations_failures_code_and_storage(
    chain: Chain, blocks: list[tuple[dict[str, Any], list[Any], list[Any]]]
) -> None:
    txs = [tx for _, found, _ in blocks for tx in found]
    receipts = [receipt for _, _, found in blocks for receipt in found]
    types = Counter(tx["type"] for tx in txs)
    assert {f"0x{n}" for n in range(5)} == set(types)
    assert min(types.values()) >= 100
    assert sum(tx["to"] is None for tx in txs) >= 100
    assert sum(receipt["status"] == "0x0" for receipt in receipts) >= 100
    assert any("chainId" not in tx for tx in txs), "none from before EIP-155"
    accounts = list(chain.accounts.values())
    assert sum(account.code != "0x" for account in accounts) >= 100
    assert sum(account.code.startswith("0xef0100") for account in accounts) >= 5
    assert sum(len(account.storage) > 50 for account in accounts) >= 5


def test_every_header_links_and_hashes(
    blocks: list[tuple[dict[str, Any], list[Any], list[Any]]],
) -> None:
    parent, moment = "0x" + "00" * 32, 0
    for height, (header, txs, receipts) in enumerate(blocks):
        # The rlp package and eth-utils' keccak: not what made the data.
        assert header["hash"] == "0x" + keccak(rlp.encode(consensus.header_fields(header))).hex()
        assert int(header["number"], 16) == height
        assert header["parentHash"] == parent
        assert int(header["timestamp"], 16) >= moment + 12
        envelopes = [consensus.envelope(tx) for tx in txs]
        encoded = [consensus.receipt_bytes(receipt) for receipt in receipts]
        assert header["transactionsRoot"] == "0x" + consensus.list_root(envelopes).hex()
        assert header["receiptsRoot"] == "0x" + consensus.list_root(encoded).hex()
        parent, moment = header["hash"], int(header["timestamp"], 16)


def test_receipts_agree_with_their_transactions(
    blocks: list[tuple[dict[str, Any], list[Any], list[Any]]],
) -> None:
    for header, txs, receipts in blocks:
        used, logs = 0, 0
        for index, (tx, receipt) in enumerate(zip(txs, receipts, strict=True)):
            used += int(receipt["gasUsed"], 16)
            assert int(receipt["cumulativeGasUsed"], 16) == used
            assert receipt["transactionHash"] == tx["hash"]
            assert receipt["logsBloom"] == "0x" + consensus.bloom(receipt["logs"]).hex()
            assert int(tx["transactionIndex"], 16) == int(receipt["transactionIndex"], 16) == index
            for name in ("blockHash", "blockNumber", "from", "to", "type"):
                assert receipt[name] == tx[name]
            assert (receipt["contractAddress"] is None) == (tx["to"] is not None)
            for log in receipt["logs"]:
                assert int(log["logIndex"], 16) == logs
                assert log["transactionHash"] == tx["hash"]
                logs += 1
        assert int(header["gasUsed"], 16) == used


def test_senders_recover_as_eth_account_recovers_them(
    blocks: list[tuple[dict[str, Any], list[Any], list[Any]]],
) -> None:
    seen: Counter[str] = Counter()
    for _, txs, _ in blocks:
        for tx in txs:
            envelope = consensus.envelope(tx)
            assert "0x" + keccak(envelope).hex() == tx["hash"]
            seen[tx["type"]] += 1
            if seen[tx["type"]] > 25:  # a sample of each type: this oracle is slow
                continue
            assert Account.recover_transaction(envelope).lower() == tx["from"]
            assert consensus.sender(tx) == tx["from"]


def test_the_accounts_are_the_newest_state(chain: Chain) -> None:
    accounts = {
        address: {
            "nonce": account.nonce,
            "balance": account.balance,
            "code": account.code,
            "storage": account.storage,
        }
        for address, account in chain.accounts.items()
    }
    assert "0x" + consensus.state_trie(accounts).root.hex() == chain.state_root


_ABOUT = b'{"format":1,"chain_id":1,"client":"x","accounts":0}'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"not brotli", "not a packaged chain", id="not Brotli"),
        pytest.param(brotli.compress(b"{}"), "not a packaged chain", id="other JSON"),
        pytest.param(
            brotli.compress(_ABOUT.replace(b'"format":1', b'"format":9')),
            "format 9; this version reads 1",
            id="another format",
        ),
        pytest.param(
            brotli.compress(_ABOUT + b"\n3 {}\n{}"), "the block at line 2 is cut short", id="cut"
        ),
        pytest.param(brotli.compress(_ABOUT), "it holds no blocks", id="empty"),
        pytest.param(brotli.compress(_ABOUT + b"\n0 {}"), "not a packaged chain", id="no header"),
    ],
)
def test_another_file_is_refused_with_its_name_and_why(
    tmp_path: Path, content: bytes, says: str
) -> None:
    file = tmp_path / "chain.br"
    file.write_bytes(content)
    with pytest.raises(archive.ArchiveError) as caught:
        Chain.load(file)
    assert str(file) in str(caught.value)
    assert says in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(archive.ArchiveError, match="No such file"):
        Chain.load(tmp_path / "none")


def test_an_archive_written_is_read_the_same(tmp_path: Path, packed: archive.Archive) -> None:
    few = archive.Archive(about=packed.about, blocks=packed.blocks[:3], accounts=packed.accounts)
    archive.write(few, tmp_path / "few.br")
    read = archive.read(tmp_path / "few.br")
    assert list(read.blocks) == list(few.blocks)
    assert list(read.accounts) == list(few.accounts)


def test_the_checkpoint_of_make_up_is_its_newest_block(
    blocks: list[tuple[dict[str, Any], list[Any], list[Any]]],
) -> None:
    header = blocks[-1][0]
    assert f"{int(header['number'], 16)}:{header['hash']}" == packaged.CHECKPOINT
    assert Chain.load().chain_id == packaged.CHAIN_ID
