"""What the next decision rests on: bounded windows of what treated and untreated units did at the
same time, and the last one or two bakes of a stage. Kept in the rollout's row, so that whoever
leads next goes on.

All times are of Postgres' clock, in seconds; a host's own is never looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from monitoring.arms import Told, Work

WINDOW_S: Final = 4.0
"""Two of them, a second until the next turn and one until a process tells: ten. One that has too
few units by then is longer.
"""
LONGEST_S: Final = 60.0
# Of a stage that bakes for less.
LEAST_KEPT_S: Final = 60.0
MOST_OF_IT: Final = 0.8
_WINDOWS: Final = 2
_MOST_BLOCKS: Final = 64


class Sums(msgspec.Struct, frozen=True, array_like=True):
    """Of one place in one turn: who had the target, and at the same time who had not."""

    treated_units: int = 0
    treated_failed: int = 0
    treated_s: float = 0.0
    untreated_units: int = 0
    untreated_failed: int = 0
    untreated_s: float = 0.0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.treated_units + other.treated_units,
            self.treated_failed + other.treated_failed,
            self.treated_s + other.treated_s,
            self.untreated_units + other.untreated_units,
            self.untreated_failed + other.untreated_failed,
            self.untreated_s + other.untreated_s,
        )


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """What was done from one turn to the next, by place: a process, or a share of many.

    Items are compared where both arms are in the same place in the same turn: a chunk that began
    before the stage was raised has one arm, and a time of its own. `told` counts all; of items, all
    of processes that are `on_stage`.
    """

    ends_s: float
    took_s: float
    places: dict[str, Sums] = {}
    treated: Work = Work()
    untreated: Work = Work()
    told: tuple[int, int] = (0, 0)


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """Of a part of a stage, up to the last two windows, which are judged by it and must not be of
    it.

    `blocks` are of alike length, and twice as long whenever they get too many.
    """

    blocks: tuple[Sums, ...] = ()
    block_s: float = WINDOW_S
    # The newest block is of so much.
    filled_s: float = 0.0
    took_s: float = 0.0
    treated: Work = Work()
    untreated: Work = Work()


class Record(msgspec.Struct, frozen=True, kw_only=True):
    # Since when its stage is as it is.
    begun_s: float = 0.0
    looked_s: float | None = None
    # The process that looked last, as host:pid.
    looked_by: str = ""
    # What each process said at the last look, of this flag alone.
    before: tuple[Told, ...] = ()
    # Of the last two windows, the oldest first.
    slices: tuple[Slice, ...] = ()
    # Of the bake under way, and of the one before it: what was long ago, as a cold start, is no
    # word about now.
    total: Total = Total()
    earlier: Total = Total()
    # When either arm was last told to have done something, treated first.
    worked_s: tuple[float, float] = (0.0, 0.0)
    # Processes that ended a chunk since the stage reached all: their next ones are split by it.
    on_stage: tuple[str, ...] = ()
    # When something was missing last; since when gaps follow one another, and the last of them.
    missed_s: float = 0.0
    gaps_since_s: float | None = None
    gap_at_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What is looked at."""

    flag: str
    target: str
    rest: str
    # "worker" or "web".
    fleet: str
    # Percent of units that should have the target, where units are items; else None.
    share: int | None
    least_units: int
    # Whether anybody is to have the target yet.
    is_given: bool = True
    # What a stage shows is of so much, or twice as much.
    keep_s: float = LEAST_KEPT_S


_packer: Final = msgspec.msgpack.Encoder()
_unpacker: Final = msgspec.msgpack.Decoder(Record)


def pack(record: Record) -> bytes:
    return _packer.encode(record)


def unpack(packed: bytes | memoryview) -> Record:
    """What another release packed otherwise begins anew."""
    try:
        return _unpacker.decode(packed) if packed else Record()
    except msgspec.DecodeError:
        return Record()


def of_stage(record: Record) -> Total:
    """All that is known of it still, but for the last two windows."""
    earlier, total = record.earlier, record.total
    return msgspec.structs.replace(
        total,
        blocks=(*earlier.blocks, *total.blocks),
        took_s=earlier.took_s + total.took_s,
        treated=earlier.treated + total.treated,
        untreated=earlier.untreated + total.untreated,
    )


def lately(record: Record, seconds: float) -> Sums:
    """What was done in the last `seconds` of the stage, or a little more."""
    found = sum((cell for one in record.slices for cell in one.places.values()), Sums())
    left_s = seconds - sum(one.took_s for one in record.slices)
    for part in (record.total, record.earlier):
        long_s = part.filled_s
        for block in reversed(part.blocks):
            if left_s <= 0:
                return found
            found += block
            left_s, long_s = left_s - long_s, part.block_s
    return found


def windows(record: Record, least_units: int) -> tuple[tuple[Slice, ...], ...]:
    """The last, and the one before it, each of `WINDOW_S` and of enough units; fewer where it was
    not looked at for so long, or where there were too few units for a minute.
    """
    slices = list(reversed(record.slices))
    found = []
    for size in _sizes(slices, least_units):
        found.append(tuple(reversed(slices[:size])))
        slices = slices[size:]
    return tuple(found)


def _sizes(newest_first: Sequence[Slice], least_units: int) -> list[int]:
    """Of two windows, in slices."""
    sizes, size, took_s, treated, untreated = [], 0, 0.0, 0, 0
    for one in newest_first:
        size, took_s = size + 1, took_s + one.took_s
        treated, untreated = treated + one.treated.units, untreated + one.untreated.units
        if took_s > LONGEST_S:
            break
        # A turn comes a little early or late: most of the window will do.
        if took_s >= MOST_OF_IT * WINDOW_S and min(treated, untreated) >= least_units:
            sizes.append(size)
            size, took_s, treated, untreated = 0, 0.0, 0, 0
        if len(sizes) == _WINDOWS:
            break
    return sizes


def long(slices: Sequence[Slice], least_units: int) -> int:
    """How many of the newest are kept for the next turn: of two windows, and of what may become
    one.
    """
    sizes = _sizes(slices[::-1], least_units)
    if len(sizes) == _WINDOWS:
        return sum(sizes)
    took_s, number = 0.0, 0
    for one in reversed(slices):
        took_s += one.took_s
        if took_s > _WINDOWS * LONGEST_S:
            break
        number += 1
    return max(1, number)


def added(total: Total, made: Slice) -> Total:
    now = sum(made.places.values(), Sums())
    blocks, block_s, filled_s = list(total.blocks), total.block_s, total.filled_s
    if not blocks or filled_s >= block_s:
        blocks.append(Sums())
        filled_s = 0.0
    blocks[-1] += now
    if len(blocks) > _MOST_BLOCKS:
        # The newest, which is not full, stays as it is.
        pairs = zip(blocks[:-1:2], blocks[1:-1:2], strict=True)
        blocks = [*(one + other for one, other in pairs), blocks[-1]]
        block_s *= 2
    return Total(
        blocks=tuple(blocks),
        block_s=block_s,
        filled_s=filled_s + made.took_s,
        took_s=total.took_s + made.took_s,
        treated=total.treated + made.treated,
        untreated=total.untreated + made.untreated,
    )
