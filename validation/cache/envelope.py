"""The envelope of an entry in L2: what it is, how long it holds, and proof that we wrote it.

Version 1, all integers big-endian:

    0   2  magic "SY"
    2   1  version
    3   1  tag byte of the codec
    4  16  BLAKE2b with the deployment's key, over the name it is stored under and all the rest
    20  4  length of the header
    24  n  header: msgpack array [created_ms, stale_ms, expires_ms, negative, node, epoch,
           block_hash, tags, lengths of the raws]
    24+n   body: the raws one after the other, encoded by the codec
"""

import hmac
import struct
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import msgspec

from validation.cache.codec import BY_TAG, pack
from validation.cache.errors import CorruptPayload, ForeignPayload

VERSION: Final = 1
MAX_STORED: Final = 32 << 20
"""Bytes of an envelope. Larger ones are neither written nor looked into."""
MAX_RAW: Final = 64 << 20
"""Bytes of a body once decoded."""
MAX_HEADER: Final = 256 << 10

_MAGIC: Final = b"SY"
_START: Final = struct.Struct(">2sBB16sI")
_MAC_BYTES: Final = 16
_NAME_BYTES: Final = struct.Struct(">I")
_PERSON: Final = b"switchyard-l2"


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """One fetch as a node answered it. Times are epoch milliseconds of the cache server's clock."""

    raws: tuple[bytes, ...]
    node: str
    created_ms: int
    """The moment before the node was asked."""
    stale_ms: int
    expires_ms: int
    tags: tuple[str, ...] = ()
    block_hash: str | None = None
    negative: bool = False
    epoch: str = ""


class _Header(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    created_ms: int
    stale_ms: int
    expires_ms: int
    negative: bool
    node: str
    epoch: str
    block_hash: str | None
    tags: tuple[str, ...]
    lengths: tuple[int, ...]


_encode_header = msgspec.msgpack.Encoder().encode
_decode_header = msgspec.msgpack.Decoder(_Header).decode


def seal(payload: Payload, *, key: bytes, codec: str, name: bytes = b"", least: int = 0) -> bytes:
    """The bytes to store under `name`, readable by whoever has the same key (at most 64 bytes).
    Bodies below `least` bytes are left as they are; 0: as the codec says.

    CorruptPayload where they would be larger than any reader takes.
    """
    header = _encode_header(
        _Header(
            payload.created_ms,
            payload.stale_ms,
            payload.expires_ms,
            payload.negative,
            payload.node,
            payload.epoch,
            payload.block_hash,
            payload.tags,
            tuple(map(len, payload.raws)),
        )
    )
    tag, body = pack(b"".join(payload.raws), codec, least=least)
    start = _MAGIC + bytes((VERSION, tag))
    rest = b"".join((len(header).to_bytes(4), header, body))
    if len(rest) > MAX_STORED - _START.size or len(header) > MAX_HEADER:
        raise CorruptPayload(f"{len(rest)} bytes, {len(header)} of them header, are too many")
    return b"".join((start, _mac(key, name, start, rest), rest))


def open_(data: bytes, *, key: bytes, name: bytes = b"") -> Payload:
    """What was sealed. CorruptPayload or ForeignPayload, and nothing else, whatever `data` holds;
    nothing is decoded before the keyed hash has been verified.
    """
    if data[:2] != _MAGIC:
        raise ForeignPayload("no envelope of this cache")
    if len(data) > MAX_STORED or len(data) < _START.size:
        raise CorruptPayload(f"an envelope of {len(data)} bytes")
    _, version, tag, mac, header_bytes = _START.unpack_from(data)
    if version != VERSION:
        raise ForeignPayload(f"an envelope of version {version}")
    if header_bytes > MAX_HEADER:
        raise CorruptPayload(f"a header of {header_bytes} bytes")
    if not hmac.compare_digest(mac, _mac(key, name, data[:4], data[20:])):
        raise CorruptPayload("the keyed hash does not match")
    return _read(data, tag, _START.size, header_bytes)


def _read(data: bytes, tag: int, start: int, header_bytes: int) -> Payload:
    """What the hash vouches for. Ours, but perhaps written by a version with other ideas."""
    codec = BY_TAG.get(tag)
    if codec is None:
        raise ForeignPayload(f"codec {tag}")
    end = start + header_bytes
    try:
        header = _decode_header(data[start:end])
    except msgspec.DecodeError as exc:
        raise ForeignPayload("a header of another layout") from exc
    size = sum(header.lengths)
    if size > MAX_RAW or min(header.lengths, default=0) < 0:
        raise CorruptPayload(f"a body of {size} bytes")
    raw = codec.decode(data[end:], limit=size)
    if len(raw) != size:
        raise CorruptPayload(f"a body of {len(raw)} bytes where {size} were announced")
    return Payload(
        raws=_split(raw, header.lengths),
        node=header.node,
        created_ms=header.created_ms,
        stale_ms=header.stale_ms,
        expires_ms=header.expires_ms,
        tags=header.tags,
        block_hash=header.block_hash,
        negative=header.negative,
        epoch=header.epoch,
    )


def _split(raw: bytes, lengths: tuple[int, ...]) -> tuple[bytes, ...]:
    if len(lengths) == 1:
        return (raw,)
    parts, at = [], 0
    for length in lengths:
        parts.append(raw[at : at + length])
        at += length
    return tuple(parts)


@lru_cache(maxsize=8)
def _keyed(key: bytes) -> "blake2b":
    return blake2b(key=key, digest_size=_MAC_BYTES, person=_PERSON)


def _mac(key: bytes, name: bytes, start: bytes, rest: bytes) -> bytes:
    # A copy of a keyed hash is cheaper than a new one. The name's length goes first, so that no
    # name and content can pose as another pair.
    hashed = _keyed(key).copy()
    hashed.update(_NAME_BYTES.pack(len(name)) + name + start)
    hashed.update(rest)
    return hashed.digest()
