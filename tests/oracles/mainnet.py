"""Blocks, transactions, accounts and a proof of Ethereum's mainnet, as public packages ship them.

Nothing of it is kept here: it is read from the packages, which tests install by name.
"""

import json
import re
from functools import cache
from typing import Any

import rlp

from tests.oracles.packages import npm_folder, specs_folder

type Json = dict[str, Any]

CHAIN_ID = 1
GENESIS_HASH = "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"
GENESIS_STATE_ROOT = "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544"

NUMBERS = (1, 1_234_567, 2_924_874, 12_964_999)
"""Of the blocks: two of the frontier without transactions, one of the spurious dragon's time (its
transactions signed with and without the chain id), and the last before London, of 145."""
FORKS = {1: "frontier", 1_234_567: "homestead", 2_924_874: "spurious_dragon"}
_LATER = "berlin"


def fork(number: int) -> str:
    return FORKS.get(number, _LATER)


@cache
def block(number: int) -> Json:
    """With whole transactions, as `eth_getBlockByHash` answers."""
    if number == 2_924_874:
        path = npm_folder("ethereumjs-block@1.7.1") / "tests" / "testdata-from-rpc.json"
        return _mended(json.loads(path.read_text()))
    path = specs_folder() / "ethereum" / "assets" / "blocks" / f"block_{number}.json"
    return dict(json.loads(path.read_text()))


def _mended(held: Json) -> Json:
    """Its node, of 2017, left v out, spelt r in 32 bytes whatever its leading zeros, and named
    fields that none names today.
    """
    dropped = {"publicKey", "raw", "standardV", "creates", "condition", "networkId", "chainId"}
    mended: list[Json] = []
    for tx in held["transactions"]:
        v = int.from_bytes(rlp.decode(bytes.fromhex(tx["raw"][2:]))[6])
        known = {name: said for name, said in tx.items() if name not in dropped}
        signature = {name: hex(int(tx[name], 16)) for name in ("r", "s")}
        mended.append(known | signature | {"v": hex(v), "type": "0x0"})
    known = {name: said for name, said in held.items() if name not in {"author", "sealFields"}}
    return known | {"transactions": mended}


@cache
def genesis() -> Json:
    """`alloc` are the 8 893 accounts that were paid for before there was a chain."""
    path = specs_folder() / "ethereum" / "assets" / "mainnet.json"
    return dict(json.loads(path.read_text()))


@cache
def proven_account() -> tuple[bytes, list[bytes]]:
    """The header of block 7 179 825 and the nodes that prove an account's state under it."""
    text = (npm_folder("eth-object@1.0.3") / "test.js").read_text()
    found = dict(re.findall(r"(\w+)\.fromHex\('0x([0-9a-f]+)'", text))
    header, proof = bytes.fromhex(found["Header"]), rlp.decode(bytes.fromhex(found["Proof"]))
    return header, [rlp.encode(node) for node in proof]
