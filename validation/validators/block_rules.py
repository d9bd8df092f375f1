"""What a block's fees must be, from its parent's: EIP-1559, EIP-4844 and what changed it since.

The base fee's rule has been one since London. Blobs have had several schedules, which Ethereum's
networks took up at times of their own; elsewhere any of them may hold, so that a match says the
block is sound and a mismatch says nothing.
"""

from functools import lru_cache
from typing import Final, NamedTuple

ETHEREUM_CHAINS: Final = frozenset({1, 17_000, 560_048, 11_155_111})
"""Mainnet, Holesky, Hoodi, Sepolia."""
DEVELOPMENT_CHAINS: Final = frozenset({1337, 31_337})
"""Development nodes seal blocks as Ethereum does, the packaged demo chain among them; but whoever
runs one may set its clock and its fees.
"""
KNOWN_UNTIL: Final = 1_772_323_200
"""2026-03-01: blocks younger than this may follow rules that came after those written here."""

GAS_PER_BLOB: Final = 131_072
INITIAL_BASE_FEE: Final = 1_000_000_000
_ELASTICITY: Final = 2
_CHANGE_DENOMINATOR: Final = 8
_BLOB_BASE_COST: Final = 8_192
_MOST_FOLD: Final = 200
"""e²⁰⁰ wei for a blob's gas is more than there is: no header is computed for longer than that."""


class BlobRules(NamedTuple):
    target: int
    most: int
    fraction: int
    has_floor: bool
    """Blobs cost at least a share of what execution does (EIP-7918)."""

    @property
    def most_gas(self) -> int:
        return self.most * GAS_PER_BLOB


_CANCUN = BlobRules(3, 6, 3_338_477, has_floor=False)
_PRAGUE = BlobRules(6, 9, 5_007_716, has_floor=False)
_OSAKA = BlobRules(6, 9, 5_007_716, has_floor=True)
_BPO1 = BlobRules(10, 15, 8_346_193, has_floor=True)
_BPO2 = BlobRules(14, 21, 11_684_671, has_floor=True)
_ALL = (_CANCUN, _PRAGUE, _OSAKA, _BPO1, _BPO2)
_STARTS: Final[dict[int, tuple[int, ...]]] = {
    1: (1_710_338_135, 1_746_612_311, 1_764_798_551, 1_765_290_071, 1_767_747_671),
    17_000: (1_707_305_664, 1_740_434_112, 1_759_308_480, 1_759_800_000, 1_760_389_824),
    560_048: (0, 1_742_999_832, 1_761_677_592, 1_762_365_720, 1_762_955_544),
    11_155_111: (1_706_655_072, 1_741_159_776, 1_760_427_360, 1_761_017_184, 1_761_607_008),
}
"""When each of `_ALL` began."""


def are_known(chain_id: int | None) -> bool:
    """Whether blocks of the chain are made as Ethereum's are, so that no honest node's content
    fails to hash to what it should.
    """
    return chain_id in ETHEREUM_CHAINS or chain_id in DEVELOPMENT_CHAINS


def are_known_at(chain_id: int | None, time: int) -> bool:
    """The same of a block of that time: later ones may follow rules that came after these."""
    return chain_id in DEVELOPMENT_CHAINS or are_binding(chain_id, time)


def keeps_first_fee(chain_id: int | None, number: str) -> bool:
    """Whether a block may have its parent's base fee as it is: a development node gives its second
    block the fee that it was started with, as it gave the first.
    """
    return chain_id in DEVELOPMENT_CHAINS and number == "0x1"


def are_binding(chain_id: int | None, time: int) -> bool:
    """Whether a block of that time that breaks the rules here cannot be the chain's."""
    return chain_id in ETHEREUM_CHAINS and time < KNOWN_UNTIL


def blob_rules(chain_id: int | None, time: int) -> tuple[BlobRules, ...]:
    """Those that a block of that time may follow; none before there were blobs."""
    starts = _STARTS.get(chain_id) if chain_id is not None else None
    if starts is None or time >= KNOWN_UNTIL:
        return _ALL
    begun = sum(time >= start for start in starts)
    return _ALL[begun - 1 : begun] if begun else ()


def next_base_fee(base_fee: int, gas_used: int, gas_limit: int) -> int:
    """The base fee after a block with these (EIP-1559)."""
    target = gas_limit // _ELASTICITY
    if gas_used == target or not target:
        return base_fee
    if gas_used > target:
        change = base_fee * (gas_used - target) // target // _CHANGE_DENOMINATOR
        return base_fee + max(change, 1)
    return base_fee - base_fee * (target - gas_used) // target // _CHANGE_DENOMINATOR


def next_excess_blob_gas(rules: BlobRules, excess: int, used: int, base_fee: int) -> int | None:
    """The excess after a block with these, by the rules of the block after it; None where the
    block's own excess is beyond all that can be computed.
    """
    target = rules.target * GAS_PER_BLOB
    if excess + used < target:
        return 0
    if rules.has_floor:
        price = blob_price(rules, excess)
        if price is None:
            return None
        if _BLOB_BASE_COST * base_fee > GAS_PER_BLOB * price:
            return excess + used * (rules.most - rules.target) // rules.most
    return excess + used - target


def blob_price(rules: BlobRules, excess: int) -> int | None:
    """Wei for a blob's gas where the excess is this (EIP-4844); None beyond all that can be."""
    if excess > _MOST_FOLD * rules.fraction:
        return None
    return _exponential(excess, rules.fraction)


@lru_cache(maxsize=1024)
def _exponential(numerator: int, denominator: int) -> int:
    """Euler's number to the power of a fraction, in whole numbers, as EIP-4844 rounds it."""
    total, step, turn = 0, denominator, 1
    while step > 0:
        total += step
        step = step * numerator // (denominator * turn)
        turn += 1
    return total // denominator
