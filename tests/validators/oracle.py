"""Envelopes by `rlp` itself, to compare with and to re-sign what eth-account would refuse."""

from typing import Any

import rlp
from eth_hash.auto import keccak

type Json = dict[str, Any]


def _number(tx: Json, name: str) -> int:
    return int(tx[name], 16)


def _bytes(held: str | None) -> bytes:
    return bytes.fromhex(held[2:]) if held else b""


def _body(tx: Json) -> list[Any]:
    number = int(tx["type"], 16)
    fees = ["gasPrice"] if number < 2 else ["maxPriorityFeePerGas", "maxFeePerGas"]
    names = ["nonce", *fees, "gas"] if number == 0 else ["chainId", "nonce", *fees, "gas"]
    items: list[Any] = [_number(tx, name) for name in names]
    items += [_bytes(tx["to"]), _number(tx, "value"), _bytes(tx["input"])]
    if number:
        entries = [
            [_bytes(entry["address"]), [_bytes(key) for key in entry["storageKeys"]]]
            for entry in tx["accessList"]
        ]
        items.append(entries)
    if number == 3:
        items += [
            _number(tx, "maxFeePerBlobGas"),
            [_bytes(versioned) for versioned in tx["blobVersionedHashes"]],
        ]
    if number == 4:
        items.append([_authorization(given) for given in tx["authorizationList"]])
    return items


def _authorization(given: Json) -> list[Any]:
    numbers = [_number(given, name) for name in ("yParity", "r", "s")]
    return [_number(given, "chainId"), _bytes(given["address"]), _number(given, "nonce"), *numbers]


def envelope(tx: Json) -> bytes:
    number = int(tx["type"], 16)
    signature = [_number(tx, name) for name in ("v", "r", "s")]
    prefix = bytes((number,)) if number else b""
    encoded: bytes = rlp.encode(_body(tx) + signature)
    return prefix + encoded


def envelope_hash(tx: Json) -> str:
    return "0x" + keccak(envelope(tx)).hex()


def rehashed(tx: Json, *, s: int, flip: bool) -> Json:
    """The transaction with another s, the other parity if `flip`, and the hash that belongs."""
    changed = tx | {"s": hex(s)}
    if flip:
        v = int(tx["v"], 16)
        # v counts from 0, 27 or 35 and twice the chain id: its parity is that of v, or the other.
        base = 0 if v < 2 else 27 if v in {27, 28} else 35
        other = hex(base + ((v - base) ^ 1))
        changed |= {"v": other} | ({"yParity": other} if "yParity" in tx else {})
    return changed | {"hash": envelope_hash(changed)}
