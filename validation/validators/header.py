"""The hash of a block's header, with the fields of every fork from Frontier to Osaka."""

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from validation.rpc import Call
from validation.rpc.answers import Unreadable, read_header
from validation.rpc.schema import Header
from validation.validators import rlp
from validation.validators.crypto import keccak_hex
from validation.validators.heard import Fetcher, Heard

if TYPE_CHECKING:
    from validation.validators.asking import Ask

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


class NoHeader(NamedTuple):
    """Why there is no header of a hash to rest on. `reason` is that of a skip; empty where `node`
    gave a header that hashes to something else, which `text` tells.
    """

    reason: str
    text: str
    node: str
    computed: str = ""


async def verified_header(ask: "Ask", block_hash: str) -> Header | NoHeader | Unreadable:
    """The header that hashes to `block_hash`, asked for once for all items that need it."""
    return await ask.grounds.blocks.header(block_hash, ask)


async def fetch_header(
    block_hash: str, fetcher: Fetcher, *, fresh: bool
) -> tuple[Header | NoHeader | Unreadable, tuple[Heard, ...]]:
    """Ask for a header and hash it; with it, what was heard."""
    questions = (Call("eth_getBlockByHash", (block_hash, False), read_header),)
    reply = await fetcher.fetch(questions, fresh=fresh)
    heard = (Heard(questions, reply),)
    (answer,) = reply.values
    if isinstance(answer, Unreadable):
        return answer, heard
    if answer is None:
        text = f"{reply.node} does not know block {block_hash}"
        return NoHeader("block_not_served", text, reply.node), heard
    computed = header_hash(answer.value)
    if computed == block_hash:
        label = answer.value.hash.lower()
        if label == block_hash:
            return answer.value, heard
        text = f"asked for block {block_hash}, its header names itself {label}"
        return NoHeader("", text, reply.node, label), heard
    if answer.unknown:
        text = f"{', '.join(answer.unknown)} may be a part of the header of {block_hash}"
        return NoHeader("unknown_field", text, reply.node), heard
    text = f"the header of block {block_hash} hashes to {computed}"
    return NoHeader("", text, reply.node, computed), heard


def header_hash(header: Header) -> str:
    """Encode the header with the fork fields it has, in the order of the forks, and hash it.

    A field that is there without its predecessors makes another hash: no rule is needed for it.
    """
    return "0x" + keccak_hex(encode_header(header))


def encode_header(header: Header) -> str:
    """In hex, as it is hashed, and as the list of uncles holds it."""
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
    return rlp.sequence(payload)
