"""The packaged chain in memory: every answer's JSON ready, found by hash, number or address."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Self

import msgspec
from tiny_keccak import keccak256

from validation.devnode import archive
from validation.devnode.consensus import raw, state_trie, storage_trie
from validation.devnode.trie import Trie

# Where `"hash":"0x…"` and `"transactionHash":"0x…"` hold their value; documents open with them.
_TX_HASH = slice(9, 75)
_RECEIPT_HASH = slice(20, 86)


class Account(msgspec.Struct, frozen=True):
    """One account of the newest state, all in hex; absent ones are `NOBODY`."""

    address: str
    nonce: str
    balance: str
    code: str
    storage: dict[str, str]


NOBODY = Account(address="", nonce="0x0", balance="0x0", code="0x", storage={})

_NO_STORAGE = Trie(())


class _Numbered(msgspec.Struct):
    hash: str
    number: str
    state_root: str = msgspec.field(name="stateRoot")


class Chain:
    """Read-only; `blocks` and `transactions` are hashes in order, `addresses` sorted."""

    def __init__(self, packed: archive.Archive) -> None:
        self.chain_id = packed.about.chain_id
        self.made_by = packed.about.client
        self._lines: Sequence[archive.BlockLines] = packed.blocks
        heads = [msgspec.json.decode(block.header, type=_Numbered) for block in packed.blocks]
        self.blocks = [head.hash for head in heads]
        self.latest = len(heads) - 1
        self.state_root = heads[-1].state_root
        self.number_of: Mapping[str, int] = {head.hash: i for i, head in enumerate(heads)}
        self.transaction_json: Mapping[str, bytes] = {
            line[_TX_HASH].decode(): line for block in packed.blocks for line in block.transactions
        }
        self.receipt_json: Mapping[str, bytes] = {
            line[_RECEIPT_HASH].decode(): line for block in packed.blocks for line in block.receipts
        }
        self.transactions = list(self.transaction_json)
        decoder = msgspec.json.Decoder(Account)
        found = map(decoder.decode, packed.accounts)
        self.accounts: Mapping[str, Account] = {account.address: account for account in found}
        self.addresses = list(self.accounts)

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """ArchiveError where the file is not a packaged chain."""
        place = path or archive.PACKAGED
        packed = archive.read(place)
        try:
            return cls(packed)
        except (msgspec.DecodeError, IndexError) as exc:
            raise archive.ArchiveError(f"{place}: not a packaged chain ({exc}).") from exc

    def block_json(self, number: int, *, full: bool) -> bytes:
        block = self._lines[number]
        if full:
            inside = b",".join(block.transactions)
        else:
            inside = b",".join([b'"%b"' % line[_TX_HASH] for line in block.transactions])
        return b'%b,"transactions":[%b]}' % (block.header[:-1], inside)

    def receipts_json(self, number: int) -> bytes:
        return b"[%b]" % b",".join(self._lines[number].receipts)

    @cached_property
    def _storage(self) -> Mapping[str, Trie]:
        return {
            address: storage_trie(account.storage)
            for address, account in self.accounts.items()
            if account.storage
        }

    @cached_property
    def _state(self) -> Trie:
        # A tenth of a second's work, so not before the first proof is asked for.
        return state_trie(msgspec.to_builtins(self.accounts))

    def proof_json(self, address: str, slots: Sequence[str]) -> bytes:
        """An EIP-1186 proof at the newest block; for an absent account or slot, of its absence."""
        account = self.accounts.get(address, NOBODY)
        storage = self._storage.get(address, _NO_STORAGE)
        return msgspec.json.encode(
            {
                "address": address,
                "accountProof": _hexed(self._state.proof(keccak256(raw(address)))),
                "balance": account.balance,
                "codeHash": "0x" + keccak256(raw(account.code)).hex(),
                "nonce": account.nonce,
                "storageHash": "0x" + storage.root.hex(),
                "storageProof": [_slot_proof(account, storage, slot) for slot in slots],
            }
        )


def _hexed(nodes: Sequence[bytes]) -> list[str]:
    return ["0x" + node.hex() for node in nodes]


def _slot_proof(account: Account, storage: Trie, slot: str) -> dict[str, object]:
    place = int(slot, 16).to_bytes(32)
    value = account.storage.get("0x" + place.hex(), "0x0")
    return {
        "key": slot,
        "value": hex(int(value, 16)),
        "proof": _hexed(storage.proof(keccak256(place))),
    }
