"""However its bytes are altered, an entry is a miss: never accepted, no crash, no bomb."""

import random
import resource
from collections.abc import Iterator
from functools import cache

import psutil
import pytest

from validation.cache.codec import CODECS
from validation.cache.envelope import Payload, open_, seal
from validation.cache.errors import CacheError
from validation.devnode.chain import Chain

KEY = b"a deployment's key, of 32 bytes."


@cache
def originals() -> dict[bytes, bytes]:
    """Name → envelope: each codec with a transaction, a receipt with it, and a block."""
    chain = Chain.load()
    hashed = chain.transactions[100]
    pair = (chain.transaction_json[hashed], chain.receipt_json[hashed])
    fetches = {b"tx": pair[:1], b"both": pair, b"block": (chain.block_json(7, full=True),)}
    found = {}
    for codec in CODECS:
        for kind, raws in fetches.items():
            name = kind + b":" + codec.encode()
            payload = Payload(
                raws=raws, node="n", created_ms=1, stale_ms=2, expires_ms=3, tags=("t",), epoch="e"
            )
            found[name] = seal(payload, key=KEY, codec=codec, name=name)
    return found


def mutations(chance: random.Random, data: bytes, other: bytes) -> Iterator[bytes]:
    """One altered copy of each sort."""
    at, until = sorted((chance.randrange(len(data)), chance.randrange(len(data))))
    flipped = bytearray(data)
    flipped[at] ^= 1 << chance.randrange(8)
    yield bytes(flipped)
    for _ in range(chance.randint(1, 8)):
        flipped[chance.randrange(len(flipped))] = chance.randrange(256)
    yield bytes(flipped)
    head = bytearray(data)
    head[chance.randrange(min(80, len(head)))] = chance.randrange(256)
    yield bytes(head)
    yield data[:at]
    yield data[:at] + data[until:]
    yield data[:until] + data[at:until] + data[until:]
    yield data[:at] + bytes(until - at) + data[until:]
    yield data[:at] + other[at:]
    yield data + chance.randbytes(chance.randint(1, 64))
    yield data[:4] + chance.randbytes(chance.randint(0, 200))
    yield other


def accepted_of(count: int, *, seed: int = 1) -> int:
    chance = random.Random(seed)
    sealed = originals()
    names = list(sealed)
    accepted = tried = 0
    while tried < count:
        name = chance.choice(names)
        for data in mutations(chance, sealed[name], sealed[chance.choice(names)]):
            if data == sealed[name]:
                continue
            tried += 1
            try:
                open_(data, key=KEY, name=name)
            except CacheError:
                continue
            accepted += 1
    return accepted


def codec_mutations(count: int, *, seed: int = 2) -> None:
    """The same without the keyed hash in the way: right or wrong, in kind and within the limit."""
    chance = random.Random(seed)
    (raw,) = open_(originals()[b"tx:none"], key=KEY, name=b"tx:none").raws
    stored = {name: codec.encode(raw) for name, codec in CODECS.items()}
    for _ in range(count // 11):
        name = chance.choice(list(stored))
        for data in mutations(chance, stored[name], stored[chance.choice(list(stored))]):
            try:
                assert len(CODECS[name].decode(data, limit=2 * len(raw))) <= 2 * len(raw)
            except CacheError:
                continue


def test_twenty_thousand_mutations_and_none_accepted() -> None:
    assert accepted_of(20_000) == 0


def test_ten_thousand_mutations_of_bodies_raise_in_kind_only() -> None:
    codec_mutations(10_000)


@pytest.mark.soak
def test_a_million_mutations_and_none_accepted_in_little_memory() -> None:
    accepted_of(10_000)
    codec_mutations(10_000)
    process = psutil.Process()
    before, peak = process.memory_info().rss, peak_bytes()
    for seed in range(100):
        assert accepted_of(10_000, seed=seed) == 0
        codec_mutations(10_000, seed=seed)
        assert process.memory_info().rss - before <= 32 << 20
    assert peak_bytes() - peak <= 32 << 20


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
