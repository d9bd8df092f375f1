"""What an answer is stored under: the chain, the kind of question, and what it asked for.

`switchyard:cache:<namespace>:<kind>:<parameters>`, the parameters as JSON. Only questions of a
known kind, asked with the decoders of that kind, have a key: values are shared by whoever has it.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import msgspec

from validation.rpc import Call
from validation.rpc.answers import (
    Answer,
    Unreadable,
    read_block,
    read_block_receipts,
    read_data,
    read_header,
    read_lean_block,
    read_proof,
    read_quantity,
    read_quantity_64,
    read_receipt,
    read_transaction,
)

PREFIX: Final = b"switchyard:cache:"
_MAX_PARAMS: Final = 200
_NAMESPACE_BYTES: Final = 8

_encode = msgspec.json.encode


type About = Callable[[Sequence[Call]], Sequence[object] | None]
"""What calls that belong together ask about; None where they do not ask about one thing."""


class Kind(NamedTuple):
    """A question that is cached: its methods and decoders, call by call."""

    name: str
    methods: tuple[str, ...]
    decoders: tuple[Callable[[bytes], Any], ...]
    about: About | None = None
    """Where its calls have parameters of their own; otherwise all have the same."""

    def read(self, raws: tuple[bytes, ...]) -> tuple[Any, ...]:
        """The values of raw answers. ValueError where they are none of this kind."""
        values = tuple([read(raw) for read, raw in zip(self.decoders, raws, strict=True)])
        for value in values:
            if type(value) is Unreadable:
                raise ValueError(value.detail)
        return values


def _of_one_block(calls: Sequence[Call]) -> Sequence[object] | None:
    """The whole block and its receipts, by the same hash."""
    block, receipts = (call.params for call in calls)
    return receipts if block == (*receipts, True) else None


def _of_one_account(calls: Sequence[Call]) -> Sequence[object] | None:
    """The account, slots of it, and the block."""
    asked, *others = (call.params for call in calls)
    if len(asked) != 3:  # noqa: PLR2004 - as said above
        return None
    account = (asked[0], asked[2])
    return asked if all(params == account for params in others) else None


KINDS: Final[tuple[Kind, ...]] = (
    Kind(
        "tx",
        ("eth_getTransactionByHash", "eth_getTransactionReceipt"),
        (read_transaction, read_receipt),
    ),
    Kind("block", ("eth_getBlockByNumber",), (read_block,)),
    Kind("block", ("eth_getBlockByHash",), (read_block,)),
    Kind("head", ("eth_getBlockByNumber",), (read_lean_block,)),
    Kind(
        "address",
        ("eth_getBalance", "eth_getTransactionCount", "eth_getCode"),
        (read_quantity, read_quantity_64, read_data),
    ),
    Kind("header", ("eth_getBlockByNumber",), (read_header,)),
    Kind("header", ("eth_getBlockByHash",), (read_header,)),
    Kind(
        "evidence",
        ("eth_getBlockByHash", "eth_getBlockReceipts"),
        (read_block, read_block_receipts),
        _of_one_block,
    ),
    Kind(
        "proof",
        ("eth_getProof", "eth_getBalance", "eth_getTransactionCount", "eth_getCode"),
        (read_proof, read_quantity, read_quantity_64, read_data),
        _of_one_account,
    ),
)
L2_ONLY: Final = frozenset({"evidence"})
"""A megabyte each, and whoever asks keeps what it made of it: in L1 a hundred of them would push
out all else.
"""
_BY_CALLS: Final = {
    tuple(zip(kind.methods, kind.decoders, strict=True)): (kind, kind.name.encode() + b":")
    for kind in KINDS
}
BY_NAME: Final = {kind.name.encode(): kind for kind in KINDS}
"""Two kinds of one name are read alike."""


def key_of(namespace: bytes, calls: Sequence[Call]) -> tuple[bytes, Kind] | None:
    """None: not a question that is cached. Case is no difference: all of it is hex and names."""
    found = _BY_CALLS.get(tuple([(call.method, call.decode) for call in calls]))
    if found is None:
        return None
    kind, code = found
    params: Sequence[object] | None = calls[0].params
    if kind.about is not None:
        params = kind.about(calls)
        if params is None:
            return None
    else:
        for call in calls:
            if call.params != params:
                return None  # all calls of a kind ask about the same thing
    asked = _encode(params)
    if len(asked) > _MAX_PARAMS:
        asked = blake2b(asked, digest_size=16).hexdigest().encode()
    return (namespace + code + asked).lower(), kind


def kind_of(key: bytes) -> bytes:
    """The name of the kind in a key; b"" in what is none."""
    parts = key.split(b":", 4)
    is_key = len(parts) == 5 and key.startswith(PREFIX)  # noqa: PLR2004 - as the module's words say
    return parts[3] if is_key else b""


def home_of(key: bytes, block_hash: str | None) -> bytes:
    """Where data of a block that is not final lies: a block under its hash, so that whoever asks
    by number and whoever asks by hash share it; all else under its own key and the hash.
    """
    block = (block_hash or "").lower().encode()
    if kind_of(key) == b"block":
        return b"%b:block:%b" % (b":".join(key.split(b":", 3)[:3]), _encode_block(block))
    return key + b"@" + block


def _encode_block(block: bytes) -> bytes:
    return b'["%b",true]' % block


_read_chain = msgspec.json.Decoder(str).decode


async def learn_namespace(fetcher: Any) -> bytes:
    """The chain's namespace, by its id and its first block: another chain shares nothing with it.

    Raises RpcError where no node answers, ValueError where one says nonsense.
    """
    reply = await fetcher.fetch(
        (
            Call("eth_chainId", (), _read_chain),
            Call("eth_getBlockByNumber", ("0x0", False), read_lean_block),
        )
    )
    chain, genesis = reply.values
    if not isinstance(genesis, Answer):
        raise ValueError("the node does not know its first block")  # noqa: TRY004 - data, no type
    told = f"{int(chain, 16)}:{genesis.value.hash.lower()}".encode()
    return PREFIX + blake2b(told, digest_size=_NAMESPACE_BYTES).hexdigest().encode() + b":"
