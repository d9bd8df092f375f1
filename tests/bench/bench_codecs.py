"""Codecs: how much smaller and how long, on 500 KB of a block's JSON and on single transactions.

The transactions are of blocks that the dictionary was not trained on.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial

import brotli
import zstandard

from tests.bench.lines import interleaved, show
from validation.cache.codec import CODECS, pack
from validation.cache.codec.train import chosen
from validation.cache.envelope import Payload, open_, seal
from validation.devnode import archive
from validation.devnode.chain import Chain

BLOCK = 500_000
KEY = b"k" * 32


def block() -> bytes:
    """As a mainnet block is: the transactions of neighbouring blocks, in one."""
    chain = Chain.load()
    joined = b",".join(chain.block_json(number, full=True) for number in range(100, 130))
    return joined[:BLOCK]


def unseen() -> list[bytes]:
    blocks = chosen(archive.read(archive.PACKAGED), held_back=True)
    return [line for each in blocks for line in each.transactions][::20]


def ratio(bodies: Sequence[bytes], encode: Callable[[bytes], bytes]) -> float:
    return sum(map(len, bodies)) / sum(len(encode(body)) for body in bodies)


def spent(run: Callable[[], object], *, scale: float, times: int = 1) -> float:
    started = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - started) / times * scale


def each(bodies: Sequence[bytes], run: Callable[[bytes], object]) -> float:
    """µs a body."""
    started = time.perf_counter()
    for body in bodies:
        run(body)
    return (time.perf_counter() - started) / len(bodies) * 1e6


def large(body: bytes) -> None:
    q5 = partial(brotli.compress, quality=5)
    encoders: dict[str, Callable[[bytes], bytes]] = {
        "zstd": CODECS["zstd"].encode,
        "brotli by size": CODECS["brotli"].encode,
        "brotli q5": q5,
        "gzip": CODECS["gzip"].encode,
        "base64": CODECS["base64"].encode,
    }
    ratios = {name: ratio([body], encode) for name, encode in encoders.items()}
    show("500 KB of block JSON, smaller by", ratios, unit="times", goal="≥ 3.5")
    times = {name: partial(spent, partial(run, body), scale=1e3) for name, run in encoders.items()}
    show("500 KB of block JSON, encode", interleaved(times), unit="ms", goal="≤ 2")
    decoders = {
        name: partial(
            spent, partial(codec.decode, codec.encode(body), limit=len(body)), scale=1e3, times=3
        )
        for name, codec in reversed(CODECS.items())
    }
    show("500 KB of block JSON, decode", interleaved(decoders), unit="ms", goal="none")


def small(bodies: Sequence[bytes]) -> None:
    encoders: dict[str, Callable[[bytes], bytes]] = {
        "zstd with the dictionary": CODECS["zstd"].encode,
        "zstd-fast, the default": CODECS["zstd-fast"].encode,
        "zstd without": zstandard.ZstdCompressor(level=3).compress,
        "brotli": CODECS["brotli"].encode,
        "gzip": CODECS["gzip"].encode,
        "base64": CODECS["base64"].encode,
    }
    ratios = {name: ratio(bodies, encode) for name, encode in encoders.items()}
    show("single transactions, smaller by", ratios, unit="times", goal="≥ 3.4")
    times = {name: partial(each, bodies, run) for name, run in encoders.items()}
    show("single transactions, encode", interleaved(times), unit="µs", goal="none")


def sealed(bodies: Sequence[bytes]) -> None:
    """The whole envelope, keyed hash included."""

    def payload(body: bytes) -> Payload:
        return Payload(
            raws=(body,), node="node.example:8545 #3f2a", created_ms=1, stale_ms=2, expires_ms=3
        )

    payloads = [payload(body) for body in bodies]
    for codec in ("zstd", "none"):
        envelopes = [seal(one, key=KEY, codec=codec) for one in payloads]
        figures = {
            "open": partial(each, envelopes, partial(open_, key=KEY)),
            "seal": partial(sealing, payloads, codec),
        }
        show(f"envelope of a transaction, {codec}", interleaved(figures), unit="µs", goal="none")


def sealing(payloads: Sequence[Payload], codec: str) -> float:
    started = time.perf_counter()
    for payload in payloads:
        seal(payload, key=KEY, codec=codec)
    return (time.perf_counter() - started) / len(payloads) * 1e6


def main() -> None:
    body = block()
    assert pack(body, "zstd")[0] == CODECS["zstd"].tag
    large(body)
    small(unseen())
    sealed(unseen())


if __name__ == "__main__":
    main()
