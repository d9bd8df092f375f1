"""The hash of a block's header, with the fields of every fork from Frontier to Prague."""

from typing import Any

from validation.rpc.schema import Header
from validation.validators import rlp
from validation.validators.crypto import keccak256

_FORKS = (
    ("base_fee_per_gas", rlp.quantity),  # London
    ("withdrawals_root", rlp.hash32),  # Shanghai
    ("blob_gas_used", rlp.quantity),  # Cancun
    ("excess_blob_gas", rlp.quantity),
    ("parent_beacon_block_root", rlp.hash32),
    ("requests_hash", rlp.hash32),  # Prague
)


def header_hash(header: Header) -> str:
    """Encode the header with the fork fields it has, in the order of the forks, and hash it.

    A field that is there without its predecessors makes another hash: no rule is needed for it.
    """
    hash32, quantity = rlp.hash32, rlp.quantity
    payload = (
        hash32(header.parent_hash)
        + hash32(header.sha3_uncles)
        + rlp.address(header.miner)
        + hash32(header.state_root)
        + hash32(header.transactions_root)
        + hash32(header.receipts_root)
        + b"\xb9\x01\x00"
        + bytes.fromhex(header.logs_bloom[2:])
        + quantity(header.difficulty)
        + quantity(header.number)
        + quantity(header.gas_limit)
        + quantity(header.gas_used)
        + quantity(header.timestamp)
        + rlp.data(header.extra_data)
        + hash32(header.mix_hash)
        + b"\x88"
        + bytes.fromhex(header.nonce[2:])
    )
    for name, encode in _FORKS:
        held: Any = getattr(header, name)
        if held:  # absent or null before its fork
            payload += encode(held)
    return "0x" + keccak256(rlp.sequence(payload)).hex()
