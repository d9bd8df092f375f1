"""The hash of a block's header, with the fields of every fork from Frontier to Prague."""

from collections.abc import Callable
from operator import attrgetter

from validation.rpc.schema import Header
from validation.validators import rlp
from validation.validators.crypto import keccak_hex

_FORK_FIELDS: dict[str, Callable[[str], str]] = {
    "base_fee_per_gas": rlp.quantity,  # London
    "withdrawals_root": rlp.hash32,  # Shanghai
    "blob_gas_used": rlp.quantity,  # Cancun
    "excess_blob_gas": rlp.quantity,
    "parent_beacon_block_root": rlp.hash32,
    "requests_hash": rlp.hash32,  # Prague
}
_ENCODERS = tuple(_FORK_FIELDS.values())
_fork_fields = attrgetter(*_FORK_FIELDS)


def header_hash(header: Header) -> str:
    """Encode the header with the fork fields it has, in the order of the forks, and hash it.

    A field that is there without its predecessors makes another hash: no rule is needed for it.
    """
    quantity = rlp.quantity
    payload = (
        f"a0{header.parent_hash[2:]}"
        f"a0{header.sha3_uncles[2:]}"
        f"94{header.miner[2:]}"
        f"a0{header.state_root[2:]}"
        f"a0{header.transactions_root[2:]}"
        f"a0{header.receipts_root[2:]}"
        f"b90100{header.logs_bloom[2:]}"
        f"{quantity(header.difficulty)}"
        f"{quantity(header.number)}"
        f"{quantity(header.gas_limit)}"
        f"{quantity(header.gas_used)}"
        f"{quantity(header.timestamp)}"
        f"{rlp.data(header.extra_data)}"
        f"a0{header.mix_hash[2:]}"
        f"88{header.nonce[2:]}"
    )
    for held, encode in zip(_fork_fields(header), _ENCODERS, strict=True):
        if held:  # absent or null before its fork
            payload += encode(held)
    return "0x" + keccak_hex(rlp.sequence(payload))
