"""The typed structs of JSON-RPC answers; `answers` fills them.

Hex stays text: a level-1 validation needs no number, and text that matched its shape converts
exactly. Everything is frozen, since callers that share an answer share the value, and no struct
can be part of a cycle, so the collector need not look at them.
"""

import msgspec
from msgspec import UNSET, UnsetType

type Hex = str | UnsetType | None
"""A hex string that may be null or absent; its shape says when."""

type Loose = str | int | UnsetType | None
"""As `Hex`, in a field nothing is computed from: anvil writes a transaction's time as a number."""

KNOWN_TYPES = (0, 1, 2, 3, 4)
_TYPE_NUMBERS: dict[Hex, int] = {UNSET: 0, None: 0}
_TYPE_NUMBERS.update((hex(number), number) for number in KNOWN_TYPES)


class AccessEntry(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    address: str
    storage_keys: tuple[str, ...]


class Authorization(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    chain_id: str
    address: str
    nonce: str
    y_parity: str
    r: str
    s: str


class Transaction(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    hash: str
    sender: str = msgspec.field(name="from")
    nonce: Hex = UNSET
    gas: Hex = UNSET
    value: Hex = UNSET
    input: Hex = UNSET
    to: Hex = UNSET
    type: Hex = UNSET
    v: Hex = UNSET
    r: Hex = UNSET
    s: Hex = UNSET
    y_parity: Hex = UNSET
    chain_id: Hex = UNSET
    gas_price: Hex = UNSET
    max_fee_per_gas: Hex = UNSET
    max_priority_fee_per_gas: Hex = UNSET
    max_fee_per_blob_gas: Hex = UNSET
    access_list: tuple[AccessEntry, ...] | UnsetType | None = UNSET
    blob_versioned_hashes: tuple[str, ...] | UnsetType | None = UNSET
    authorization_list: tuple[Authorization, ...] | UnsetType | None = UNSET
    block_hash: Hex = UNSET
    block_number: Hex = UNSET
    transaction_index: Hex = UNSET
    block_timestamp: Loose = UNSET

    @property
    def type_number(self) -> int | None:
        """The EIP-2718 type, None where it is unknown; nodes from before it name none: type 0."""
        return _TYPE_NUMBERS.get(self.type)


class Log(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    address: str
    topics: tuple[str, ...]
    data: str
    block_hash: str
    block_number: str
    transaction_hash: str
    transaction_index: str
    log_index: str
    removed: bool | UnsetType = UNSET
    block_timestamp: Loose = UNSET


class Receipt(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    transaction_hash: str
    transaction_index: str
    block_hash: str
    block_number: str
    cumulative_gas_used: str
    gas_used: str
    logs: tuple[Log, ...]
    logs_bloom: str
    sender: str = msgspec.field(name="from")
    to: Hex = UNSET
    contract_address: Hex = UNSET
    status: Hex = UNSET
    root: Hex = UNSET
    type: Hex = UNSET
    effective_gas_price: Hex = UNSET
    blob_gas_used: Hex = UNSET
    blob_gas_price: Hex = UNSET
    block_timestamp: Loose = UNSET


class Withdrawal(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    index: str
    validator_index: str
    address: str
    amount: str


class Header(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A block's header. Fields from `base_fee_per_gas` on came with later forks, in this order."""

    hash: str
    number: str
    parent_hash: str
    sha3_uncles: str
    miner: str
    state_root: str
    transactions_root: str
    receipts_root: str
    logs_bloom: str
    difficulty: str
    gas_limit: str
    gas_used: str
    timestamp: str
    extra_data: str
    mix_hash: str
    nonce: str
    base_fee_per_gas: Hex = UNSET
    withdrawals_root: Hex = UNSET
    blob_gas_used: Hex = UNSET
    excess_blob_gas: Hex = UNSET
    parent_beacon_block_root: Hex = UNSET
    requests_hash: Hex = UNSET
    size: Hex = UNSET
    total_difficulty: Hex = UNSET
    uncles: tuple[str, ...] | UnsetType | None = UNSET
    withdrawals: tuple[Withdrawal, ...] | UnsetType | None = UNSET


class Block(Header, frozen=True, kw_only=True, gc=False, rename="camel"):
    """A block as `eth_getBlockBy…(…, true)` answers it."""

    transactions: tuple[Transaction, ...]


class LeanBlock(Header, frozen=True, kw_only=True, gc=False, rename="camel"):
    """A block as `eth_getBlockBy…(…, false)` answers it."""

    transactions: tuple[str, ...]


class SlotProof(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One storage slot of a `Proof`; `proof` are the nodes from the storage root on."""

    key: str
    value: str
    proof: tuple[str, ...]


class Proof(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """An account as `eth_getProof` answers it; `account_proof` are the nodes from the root on."""

    address: str
    balance: str
    nonce: str
    code_hash: str
    storage_hash: str
    account_proof: tuple[str, ...]
    storage_proof: tuple[SlotProof, ...]
