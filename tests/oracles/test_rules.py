"""What blocks must say by the rules of each fork: as the execution specs compute it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracles import specs
from validation.devnode import archive
from validation.devnode.chain import Chain
from validation.rpc.schema import Log
from validation.validators import block_rules, requests

MAINNET = 1
FORKS = ("cancun", "prague", "osaka", "bpo1", "bpo2")

fee = st.integers(7, 10**13)


@pytest.fixture(scope="module")
def header() -> dict[str, str]:
    chain = Chain(archive.read(archive.PACKAGED))
    return dict(json.loads(chain.block_json(1, full=False)))


@settings(deadline=None)
@given(fee, st.integers(5_000, 60_000_000), st.floats(0, 1))
def test_the_base_fee_after_any_block_is_that_of_the_specs(
    before: int, limit: int, share: float
) -> None:
    used = int(limit * share)
    parent = {"gasLimit": hex(limit), "gasUsed": hex(used), "baseFeePerGas": hex(before)}
    expected = specs.base_fee({"gasLimit": hex(limit)}, parent)
    assert block_rules.next_base_fee(before, used, limit) == expected


@pytest.mark.parametrize("fork", FORKS)
def test_mainnet_takes_up_each_schedule_of_blobs_when_the_specs_do(fork: str) -> None:
    start = specs.starts(fork)
    (before,) = block_rules.blob_rules(MAINNET, start - 1) or (None,)
    (rules,) = block_rules.blob_rules(MAINNET, start)
    assert rules != before
    assert rules.most_gas == specs.most_blob_gas(fork)


@pytest.mark.parametrize("fork", FORKS)
@settings(deadline=None)
@given(excess=st.integers(0, 150_000_000))
def test_a_blob_costs_what_it_does_by_the_specs(fork: str, excess: int) -> None:
    (rules,) = block_rules.blob_rules(MAINNET, specs.starts(fork))
    assert block_rules.blob_price(rules, excess) == specs.blob_price(excess, fork)


@pytest.mark.parametrize("fork", FORKS)
@settings(deadline=None)
@given(excess=st.integers(0, 100_000_000), blobs=st.integers(0, 21), before=fee)
def test_the_excess_after_any_block_is_that_of_the_specs(
    header: dict[str, str], fork: str, excess: int, blobs: int, before: int
) -> None:
    used = blobs * block_rules.GAS_PER_BLOB
    parent = header | {
        "excessBlobGas": hex(excess),
        "blobGasUsed": hex(used),
        "baseFeePerGas": hex(before),
    }
    (rules,) = block_rules.blob_rules(MAINNET, specs.starts(fork))
    expected = specs.excess_blob_gas(parent, fork)
    assert block_rules.next_excess_blob_gas(rules, excess, used, before) == expected


parts = st.tuples(*[st.binary(min_size=size, max_size=size) for size in (48, 32, 8, 96, 8)])


def log_of(deposited: tuple[bytes, ...]) -> bytes:
    """As the deposit contract's ABI lays it out: five offsets, then each part behind its length."""
    offsets, body = b"", b""
    for part in deposited:
        offsets += (160 + len(body)).to_bytes(32)
        body += len(part).to_bytes(32) + part.ljust(-(-len(part) // 32) * 32, b"\x00")
    return offsets + body


@settings(deadline=None)
@given(st.lists(parts, max_size=4))
def test_deposits_hash_to_what_the_specs_make_of_their_logs(
    deposits: list[tuple[bytes, ...]],
) -> None:
    logs = [log_of(each) for each in deposits]
    ours = b"".join(requests._deposit(_logged(data)) for data in logs)
    assert ours == b"".join(map(specs.deposit, logs)) == b"".join(map(b"".join, deposits))
    assert requests.requests_hash(ours) == specs.requests_hash(ours)


def _logged(data: bytes) -> Log:
    return Log(
        address="0x" + "00" * 20,
        topics=(),
        data="0x" + data.hex(),
        block_hash="0x" + "00" * 32,
        block_number="0x1",
        transaction_hash="0x" + "00" * 32,
        transaction_index="0x0",
        log_index="0x0",
    )
