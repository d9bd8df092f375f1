"""Makes the packaged chain with a real anvil, checks every hash of it, and writes the archive.

Run it as `python -m validation.devnode.make_chain [--anvil PATH]`; it needs the development
requirements and is needed again only when the story changes.
"""

import argparse
import gzip
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from tiny_keccak import keccak256

from validation.devnode import archive, consensus, story

CHAIN_ID = 31337
GENESIS_TIME = 1_767_225_600  # 2026-01-01
BLOCKS = 320
SEED = 20_260_101
COINBASE = "0x5317c4a7d0000000000000000000000000000001"
GAS_LIMIT = 30_000_000
EMPTY_SHARE = 0.03
MISSED_SLOTS = 0.03
NOT_IN_ANSWERS = ("blobs", "commitments", "proofs", "cellProofs")


class Anvil:
    """The few calls that making a chain takes."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def calls(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        body = [
            {"jsonrpc": "2.0", "id": i, "method": method, "params": params}
            for i, (method, params) in enumerate(calls)
        ]
        request = urllib.request.Request(
            self._url, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            answers = {answer["id"]: answer for answer in json.load(response)}
        failed = [answers[i]["error"] for i in range(len(calls)) if "error" in answers[i]]
        if failed:
            raise RuntimeError(f"anvil refused {calls[0][0]}: {failed[0]}")
        return [answers[i]["result"] for i in range(len(calls))]

    def call(self, method: str, *params: Any) -> Any:
        return self.calls([(method, params)])[0]


@contextmanager
def running(program: str) -> Iterator[Anvil]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = {
        "port": port, "hardfork": "prague", "order": "fifo", "timestamp": GENESIS_TIME,
        "chain-id": CHAIN_ID, "accounts": 1, "gas-limit": GAS_LIMIT,
        "block-base-fee-per-gas": 12 * story.GWEI,
    }  # fmt: skip
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    process = subprocess.Popen([program, *words, "--no-mining", "--quiet"])
    try:
        yield _ready(Anvil(port))
    finally:
        process.terminate()
        process.wait(10)


def _ready(anvil: Anvil) -> Anvil:
    for _ in range(100):
        try:
            anvil.call("eth_chainId")
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
        else:
            return anvil
    raise RuntimeError("anvil did not answer within ten seconds.")


def _transactions(world: story.World, height: int) -> list[str]:
    if height == 1:
        return story.deployments(world)
    # The head is never an empty block: people look at it first.
    empty = height < BLOCKS and world.random.random() < EMPTY_SHARE
    return [] if empty else story.a_block(world)


def play(anvil: Anvil) -> None:
    """Plays the story: funds the senders, then mines block by block."""
    world = story.new_world(CHAIN_ID, SEED)
    # Blob transactions go in as blocks hold them, without their sidecars: anvil would hash those
    # into the transactions root. It accepts that only while impersonation is on.
    anvil.call("anvil_autoImpersonateAccount", True)
    anvil.call("anvil_setCoinbase", COINBASE)
    anvil.calls(
        [
            ("anvil_setBalance", (s.address, hex((500 + 37 * i) * story.ETHER)))
            for i, s in enumerate(world.senders)
        ]
    )
    moment = GENESIS_TIME
    for height in range(1, BLOCKS + 1):
        raws = _transactions(world, height)
        if raws:
            anvil.calls([("eth_sendRawTransaction", (raw,)) for raw in raws])
        # Now and then a slot is missed.
        moment += 24 if world.random.random() < MISSED_SLOTS else 12
        anvil.call("evm_mine", {"timestamp": moment})
        latest = anvil.call("eth_getBlockByNumber", "latest", False)
        world.base_fee = int(latest["baseFeePerGas"], 16)
        if height % 40 == 0:
            print(f"block {height}: base fee {world.base_fee / story.GWEI:.1f} gwei", flush=True)


def _as_answered(block: dict[str, Any], receipts: list[dict[str, Any]]) -> None:
    """Takes away what only anvil adds, and states the size that the block has on the wire."""
    for tx in block["transactions"]:
        for name in NOT_IN_ANSWERS:
            tx.pop(name, None)
    for receipt in receipts:
        receipt.pop("blockTimestamp", None)  # a bare integer, where Ethereum's are hex
        if receipt["type"] != "0x3":
            receipt.pop("blobGasPrice", None)
    block["size"] = hex(consensus.block_size(block))


def _check(block: Mapping[str, Any], receipts: Sequence[Mapping[str, Any]]) -> None:
    """Refuses a block of which anything that consensus hashes does not verify."""
    where = f"block {int(block['number'], 16)}"
    txs = block["transactions"]
    envelopes = [consensus.envelope(tx) for tx in txs]
    found = {
        "hash": consensus.header_hash(block),
        "transactionsRoot": consensus.list_root(envelopes),
        "receiptsRoot": consensus.list_root([consensus.receipt_bytes(r) for r in receipts]),
        "logsBloom": consensus.bloom([log for r in receipts for log in r["logs"]]),
    }
    for name, value in found.items():
        if block[name] != "0x" + value.hex():
            raise SystemExit(f"{where}: {name} is {block[name]}, computed 0x{value.hex()}")
    for tx, receipt, envelope in zip(txs, receipts, envelopes, strict=True):
        digest = "0x" + keccak256(envelope).hex()
        if not tx["hash"] == receipt["transactionHash"] == digest:
            raise SystemExit(f"{where}: transaction {tx['hash']} hashes to {digest}")
        if not tx["from"] == receipt["from"] == consensus.sender(tx):
            raise SystemExit(f"{where}: {tx['hash']} was signed by {consensus.sender(tx)}")
        if receipt["logsBloom"] != "0x" + consensus.bloom(receipt["logs"]).hex():
            raise SystemExit(f"{where}: bloom of the receipt of {tx['hash']} is wrong")


def _accounts(anvil: Anvil, state_root: str) -> list[dict[str, Any]]:
    dump = gzip.decompress(bytes.fromhex(anvil.call("anvil_dumpState")[2:]))
    accounts = {
        address: _account(address, account)
        for address, account in sorted(json.loads(dump)["accounts"].items())
    }
    root = "0x" + consensus.state_trie(accounts).root.hex()
    if root != state_root:
        raise SystemExit(f"the state's root is {state_root}, computed {root}")
    return list(accounts.values())


def _account(address: str, dumped: Mapping[str, Any]) -> dict[str, Any]:
    storage = {slot: value for slot, value in dumped["storage"].items() if int(value, 16)}
    return {
        "address": address,
        "nonce": hex(dumped["nonce"]),
        "balance": dumped["balance"],
        "code": dumped["code"],
        "storage": storage,
    }


def collect(anvil: Anvil) -> archive.Archive:
    blocks, parent = [], "0x" + "00" * 32
    for height in range(BLOCKS + 1):
        block = anvil.call("eth_getBlockByNumber", hex(height), True)
        receipts = anvil.call("eth_getBlockReceipts", hex(height))
        _as_answered(block, receipts)
        _check(block, receipts)
        if block["parentHash"] != parent:
            raise SystemExit(f"block {height} does not follow {parent}")
        parent = block["hash"]
        blocks.append(archive.encode_block(block, receipts))
    accounts = _accounts(anvil, block["stateRoot"])
    about = archive.About(
        format=archive.FORMAT,
        chain_id=CHAIN_ID,
        client=anvil.call("web3_clientVersion"),
        accounts=len(accounts),
    )
    encoded = [msgspec.json.encode(account) for account in accounts]
    return archive.Archive(about=about, blocks=blocks, accounts=encoded)


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--anvil", default=shutil.which("anvil"), help="anvil's path")
    parser.add_argument("--out", type=Path, default=archive.PACKAGED)
    asked = parser.parse_args(words)
    if not asked.anvil:
        parser.error("anvil is not on PATH; name it with --anvil (npm: @foundry-rs/anvil)")
    with running(asked.anvil) as anvil:
        play(anvil)
        made = collect(anvil)
    size = archive.write(made, asked.out)
    count = sum(len(block.transactions) for block in made.blocks)
    print(
        f"{len(made.blocks)} blocks, {count} transactions, {len(made.accounts)} accounts,"
        f" {size / 1e6:.2f} MB: {asked.out}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
