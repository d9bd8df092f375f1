"""Fees from those of the block before: known figures of EIP-1559, EIP-4844, EIP-7918 and after."""

import pytest

from validation.validators import block_rules
from validation.validators.block_rules import (
    GAS_PER_BLOB,
    KNOWN_UNTIL,
    blob_price,
    blob_rules,
    next_base_fee,
    next_excess_blob_gas,
)

LIMIT = 30_000_000


@pytest.mark.parametrize(
    ("base_fee", "used", "expected"),
    [
        (10**9, 15_000_000, 10**9),
        (10**9, 30_000_000, 1_125_000_000),
        (10**9, 0, 875_000_000),
        (7, 30_000_000, 8),  # at least one more
        (7, 0, 7),
        (0, 0, 0),
        (0, 30_000_000, 1),
    ],
)
def test_the_base_fee_follows_the_gas_of_the_block_before(
    base_fee: int, used: int, expected: int
) -> None:
    assert next_base_fee(base_fee, used, LIMIT) == expected


@pytest.mark.parametrize(
    ("chain_id", "time", "target", "most"),
    [
        (1, 1_710_338_135, 3, 6),
        (1, 1_746_612_310, 3, 6),
        (1, 1_746_612_311, 6, 9),
        (1, 1_765_290_071, 10, 15),
        (1, 1_767_747_671, 14, 21),
        (11_155_111, 1_741_159_776, 6, 9),
        (17_000, 1_707_305_664, 3, 6),
        (560_048, 0, 3, 6),
    ],
)
def test_schedules_begin_at_their_times(chain_id: int, time: int, target: int, most: int) -> None:
    [rules] = blob_rules(chain_id, time)
    assert (rules.target, rules.most) == (target, most)


def test_before_there_were_blobs_there_is_no_schedule() -> None:
    assert blob_rules(1, 1_710_338_134) == ()


@pytest.mark.parametrize(("chain_id", "time"), [(10, 0), (None, 0), (31_337, 0), (1, KNOWN_UNTIL)])
def test_where_the_schedule_is_not_known_any_may_hold(chain_id: int | None, time: int) -> None:
    assert len(blob_rules(chain_id, time)) == 5
    assert not block_rules.are_binding(chain_id, time)


def test_the_price_of_blobs_grows_by_an_eighth_for_each_full_block() -> None:
    [rules] = blob_rules(1, 1_746_612_311)
    assert blob_price(rules, 0) == 1
    assert blob_price(rules, 10 * rules.fraction) == 22026  # e¹⁰
    assert blob_price(rules, 8 * rules.fraction) == 2980  # e⁸


def test_an_excess_beyond_all_measure_is_not_computed() -> None:
    """A forged header could keep a process busy for years."""
    [rules] = blob_rules(1, 1_764_798_551)
    assert blob_price(rules, 2**64 - 1) is None
    assert next_excess_blob_gas(rules, 2**64 - 1, 0, 10**9) is None


def test_the_excess_is_what_is_above_the_target() -> None:
    [rules] = blob_rules(1, 1_746_612_311)
    assert next_excess_blob_gas(rules, 0, 5 * GAS_PER_BLOB, 1) == 0
    assert next_excess_blob_gas(rules, 0, 8 * GAS_PER_BLOB, 1) == 2 * GAS_PER_BLOB
    assert next_excess_blob_gas(rules, GAS_PER_BLOB, 9 * GAS_PER_BLOB, 1) == 4 * GAS_PER_BLOB


def test_where_execution_is_dear_and_blobs_are_cheap_the_excess_does_not_fall() -> None:
    """EIP-7918: below the floor it grows with each blob by a share, whatever the target."""
    [osaka] = blob_rules(1, 1_764_798_551)
    cheap = next_excess_blob_gas(osaka, 6 * GAS_PER_BLOB, 6 * GAS_PER_BLOB, 10**9)
    assert cheap == 6 * GAS_PER_BLOB + 6 * GAS_PER_BLOB * 3 // 9
    [prague] = blob_rules(1, 1_746_612_311)
    assert next_excess_blob_gas(prague, 6 * GAS_PER_BLOB, 6 * GAS_PER_BLOB, 10**9) == (
        6 * GAS_PER_BLOB
    )
    # A base fee of 16 wei is where a blob's gas at one wei stops to be too cheap.
    assert next_excess_blob_gas(osaka, 0, 6 * GAS_PER_BLOB, 16) == 0
    assert next_excess_blob_gas(osaka, 0, 6 * GAS_PER_BLOB, 17) == 2 * GAS_PER_BLOB
