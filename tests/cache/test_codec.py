"""Codecs: each gives back what it took, within the bound, and refuses everything else in kind."""

import contextlib
import gzip
import random
import threading

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from validation.cache.codec import BY_TAG, CODECS, pack
from validation.cache.codec.train import chosen
from validation.cache.errors import CacheError, CorruptPayload, ForeignPayload
from validation.devnode import archive

NAMES = sorted(CODECS)
BODIES = st.one_of(
    st.binary(max_size=3_000),
    st.binary(min_size=1, max_size=40).map(lambda part: part * 200),
)
BOMB = 64 << 20


def test_tags_never_change() -> None:
    """They are written into entries that outlive a release."""
    tags = {name: codec.tag for name, codec in CODECS.items()}
    assert tags == {"none": 0, "base64": 1, "gzip": 2, "brotli": 3, "zstd-fast": 4, "zstd": 4}
    raw = b"0x" + b"5a" * 600
    for codec in CODECS.values():
        assert BY_TAG[codec.tag].decode(codec.encode(raw), limit=2_000) == raw


@pytest.mark.parametrize("name", NAMES)
@given(raw=BODIES)
@settings(deadline=None)
def test_a_codec_gives_back_what_it_took(name: str, raw: bytes) -> None:
    codec = CODECS[name]
    assert codec.decode(codec.encode(raw), limit=len(raw)) == raw


@pytest.mark.parametrize("name", NAMES)
@given(raw=BODIES.filter(bool))
@settings(deadline=None)
def test_no_codec_gives_more_than_the_limit(name: str, raw: bytes) -> None:
    codec = CODECS[name]
    with pytest.raises(CorruptPayload):
        codec.decode(codec.encode(raw), limit=len(raw) - 1)


@pytest.mark.parametrize("name", NAMES)
@given(stored=st.binary(max_size=300), limit=st.integers(0, 2_000))
@settings(deadline=None, max_examples=300)
def test_rubbish_raises_errors_of_the_cache_only(name: str, stored: bytes, limit: int) -> None:
    with contextlib.suppress(CacheError):
        assert len(CODECS[name].decode(stored, limit=limit)) <= limit


@pytest.mark.parametrize("name", NAMES)
@given(raw=BODIES.filter(lambda raw: len(raw) > 20), data=st.data())
@settings(deadline=None, max_examples=200)
def test_damage_to_a_real_body_raises_errors_of_the_cache_only(
    name: str, raw: bytes, data: st.DataObject
) -> None:
    codec = CODECS[name]
    stored = bytearray(codec.encode(raw))
    for _ in range(data.draw(st.integers(1, 3))):
        stored[data.draw(st.integers(0, len(stored) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(CacheError):
        assert len(codec.decode(bytes(stored), limit=len(raw))) <= len(raw)


@pytest.mark.parametrize("name", ["gzip", "brotli", "zstd"])
def test_a_bomb_is_refused_in_little_memory(name: str) -> None:
    import tracemalloc  # noqa: PLC0415 - traces from here on

    bomb = CODECS[name].encode(bytes(BOMB))
    assert len(bomb) < BOMB // 500
    tracemalloc.start()
    try:
        with pytest.raises(CorruptPayload):
            CODECS[name].decode(bomb, limit=100_000)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["base64", "gzip", "brotli", "zstd"])
@pytest.mark.parametrize("extra", [b"\0", b"rubbish behind it"])
def test_bytes_behind_the_end_are_refused(name: str, extra: bytes) -> None:
    codec = CODECS[name]
    raw = b"0123456789" * 100
    with pytest.raises(CorruptPayload):
        codec.decode(codec.encode(raw) + extra, limit=len(raw))


def test_a_frame_of_an_unknown_dictionary_is_foreign() -> None:
    lines: list[bytes | bytearray | memoryview] = [
        b'{"n":%d,"of":"another deployment"}' % n for n in range(2_000)
    ]
    dictionary = zstandard.train_dictionary(2_048, lines, dict_id=99)
    parameters = zstandard.ZstdCompressionParameters.from_level(
        1, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_dict_id=True, write_content_size=True
    )
    packer = zstandard.ZstdCompressor(compression_params=parameters, dict_data=dictionary)
    with pytest.raises(ForeignPayload, match="dictionary 99"):
        CODECS["zstd"].decode(packer.compress(lines[0]), limit=100)


def test_a_zstd_frame_that_hides_its_size_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(
        1, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_content_size=False
    )
    packer = zstandard.ZstdCompressor(compression_params=parameters)
    with pytest.raises(CorruptPayload):
        CODECS["zstd"].decode(packer.compress(bytes(1_000)), limit=1_000)


def test_foreign_tools_can_read_gzip_and_brotli() -> None:
    raw = b"0x00112233" * 200
    assert gzip.decompress(CODECS["gzip"].encode(raw)) == raw
    assert brotli.decompress(CODECS["brotli"].encode(raw)) == raw


@pytest.mark.parametrize("name", ["gzip", "brotli", "zstd"])
def test_what_would_hardly_shrink_is_stored_as_it_is(name: str) -> None:
    raw = random.Random(7).randbytes(5_000)
    assert pack(raw, name) == (CODECS["none"].tag, raw)


def test_the_baseline_is_stored_though_it_grows() -> None:
    tag, stored = pack(b"0x1", "base64")
    assert (tag, stored) == (CODECS["base64"].tag, b"MHgx")


@pytest.mark.parametrize("name", ["gzip", "brotli"])
def test_less_than_512_bytes_are_not_compressed(name: str) -> None:
    assert pack(b"0" * 511, name)[0] == CODECS["none"].tag
    assert pack(b"0" * 512, name)[0] == CODECS[name].tag


def test_the_dictionary_shrinks_transactions_that_it_has_not_seen() -> None:
    blocks = chosen(archive.read(archive.PACKAGED), held_back=True)
    unseen = [line for block in blocks for line in block.transactions][::10]
    packed = sum(len(pack(line, "zstd")[1]) for line in unseen)
    assert sum(map(len, unseen)) >= 3.4 * packed


def test_threads_do_not_disturb_each_other() -> None:
    codec = CODECS["zstd"]
    chance = random.Random(3)
    bodies = [chance.randbytes(50) * chance.randint(50, 3_000) for _ in range(40)]
    failures: list[int] = []

    def work(start: int) -> None:
        for at in range(start, start + 60):
            raw = bodies[at % len(bodies)]
            if codec.decode(codec.encode(raw), limit=len(raw)) != raw:
                failures.append(at)

    threads = [threading.Thread(target=work, args=(n * 10,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not failures
