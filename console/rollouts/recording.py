"""Takes what was done since the last look into a rollout's record."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from zlib import crc32

import msgspec

from console.rollouts import untold
from console.rollouts.records import WINDOW_S, Record, Slice, Sums, Total, Way, added, long
from monitoring import arms
from monitoring.arms import Told, Work

# Looked away for longer than this, what was done meanwhile belongs to no window.
GAP_S: Final = WINDOW_S
# Two turns within less are two leaders that take turns: the second adds nothing.
_LEAST_S: Final = 0.4
# Two turns: who looked last, and has not again by then, is gone.
_LEFT_S: Final = 2.0
_MOST_PLACES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """`gap_s`: nobody looked for so long, so that windows begin anew; 0: no gap. `missing`: what
    is not told, in a sentence; "" where all is. `is_whole`: so it was for a window. `alone`: that
    no process is left without the target, in a sentence.
    """

    record: Record
    gap_s: float
    missing: str
    is_whole: bool
    alone: str


def anew(record: Record, now_s: float) -> Record:
    """For another stage: what was done before it counts no more."""
    return Record(
        begun_s=now_s,
        looked_s=record.looked_s,
        looked_by=record.looked_by,
        before=record.before,
        missed_s=record.missed_s,
        gaps_since_s=record.gaps_since_s,
        gap_at_s=record.gap_at_s,
    )


def is_too_soon(record: Record, now_s: float) -> bool:
    return record.looked_s is not None and 0 <= now_s - record.looked_s < _LEAST_S


def is_heard_by_another(record: Record, me: str, now_s: float) -> bool:
    """Another process looked just now and nothing was missing: it is `me` that cannot hear."""
    if record.looked_s is None or record.looked_by in {"", me}:
        return False
    return record.missed_s != record.looked_s and 0 <= now_s - record.looked_s < _LEFT_S


def take(
    record: Record, way: Way, told: Sequence[Told] | None, now_s: float, *, by: str = ""
) -> Taken:
    """`record` with what was done since its last look, as `by` hears it."""
    heard = _heard(told or (), way)
    gap_s = _gap_s(record, now_s)
    if gap_s:
        record = _with_gap(record, now_s)
    made, finished = None, frozenset[str]()
    if record.looked_s is not None:
        made, finished = _slice(record, way, heard, now_s)
    slices = [*record.slices, *([made] if made else [])]
    kept = slices[-long(slices, way.least_units) :]
    total = record.total
    for gone in slices[: len(slices) - len(kept)]:
        total = added(total, gone)
    earlier = record.earlier
    if total.took_s >= way.keep_s:
        earlier, total = total, Total()
    gaps_end = not gap_s and now_s - record.gap_at_s >= WINDOW_S
    record = msgspec.structs.replace(
        record,
        looked_s=now_s,
        looked_by=by,
        before=_newest(heard, record.before),
        slices=tuple(kept),
        total=total,
        earlier=earlier,
        worked_s=_worked(record, made, now_s),
        on_stage=_on_stage(record, heard, finished, now_s),
        gaps_since_s=None if gaps_end else record.gaps_since_s,
    )
    if alone := untold.held_by_all(record, heard, way, now_s):
        # Who comes to be compared with is waited for anew.
        record = msgspec.structs.replace(record, worked_s=(now_s, now_s))
    missing = untold.missing(record, way, told, heard, now_s)
    if missing:
        record = msgspec.structs.replace(record, missed_s=now_s)
    whole = abs(now_s - max(record.missed_s, record.gap_at_s)) >= WINDOW_S
    return Taken(record=record, gap_s=gap_s, missing=missing, is_whole=whole, alone=alone)


def _gap_s(record: Record, now_s: float) -> float:
    if record.looked_s is None or 0 <= now_s - record.looked_s <= GAP_S:
        return 0.0
    return abs(now_s - record.looked_s)


def _with_gap(record: Record, now_s: float) -> Record:
    """What was done meanwhile is of no window; what the stage has shown stands, and the windows
    before are of it: where gap follows gap, nothing else is judged.
    """
    since_s, total = record.gaps_since_s, record.total
    for one in record.slices:
        total = added(total, one)
    return msgspec.structs.replace(
        record,
        looked_s=None,
        before=(),
        slices=(),
        total=total,
        worked_s=(now_s, now_s),
        gaps_since_s=record.looked_s if since_s is None else since_s,
        gap_at_s=now_s,
    )


def _worked(record: Record, made: Slice | None, now_s: float) -> tuple[float, float]:
    treated, untreated = made.told if made else (0, 0)
    return (
        now_s if treated else record.worked_s[0],
        now_s if untreated else record.worked_s[1],
    )


def _on_stage(
    record: Record, heard: Sequence[Told], finished: frozenset[str], now_s: float
) -> tuple[str, ...]:
    """A process does one chunk at a time: what follows the first that ended is of this stage; so
    is all of a process that began on it.
    """
    since_s = now_s - record.begun_s - untold.REACHES_ALL_S
    known = {*record.on_stage, *(finished if since_s >= 0 else ())}
    return tuple(
        one.arms.process
        for one in heard
        if one.arms.process in known or untold.began_ago_s(one) < since_s
    )


def _heard(told: Iterable[Told], way: Way) -> tuple[Told, ...]:
    """Who speaks, of this flag alone."""
    found = []
    for one in told:
        if one.is_silent or way.fleet != one.arms.kind:
            continue
        of_flag = {way.flag: one.arms.flags[way.flag]} if way.flag in one.arms.flags else {}
        holds = {way.flag: one.arms.holds[way.flag]} if way.flag in one.arms.holds else {}
        arms_of_it = msgspec.structs.replace(one.arms, flags=of_flag, holds=holds)
        found.append(msgspec.structs.replace(one, arms=arms_of_it))
    return tuple(found)


def _is_older(one: Told, other: Told) -> bool:
    """Of two words of one process; of two of its lives, the one that was read before."""
    if one.arms.started_at == other.arms.started_at:
        return one.arms.up_s < other.arms.up_s
    return one.read_at < other.read_at


def _newest(heard: Sequence[Told], before: Sequence[Told]) -> tuple[Told, ...]:
    """The last word of each, which the next is held against: another leader may have read later
    than this one did. Nothing heard: what was said last.
    """
    if not heard:
        return tuple(before)
    words = {one.arms.process: one for one in heard}
    read_at = max(one.read_at for one in heard)
    for one in before:
        now = words.get(one.arms.process)
        if one.read_at > read_at if now is None else _is_older(now, one):
            words[one.arms.process] = one
    return tuple(words.values())


def _slice(
    record: Record, way: Way, heard: Sequence[Told], now_s: float
) -> tuple[Slice, frozenset[str]]:
    """And which processes ended a chunk."""
    places: dict[str, Sums] = {}
    treated, untreated, told = Work(), Work(), (0, 0)
    finished = set()
    known = {one.arms.process: one for one in record.before}
    for one in heard:
        process = one.arms.process
        if process in known and _is_older(one, known[process]):
            continue
        done = arms.difference((one,), record.before).get(way.flag, {})
        with_it, without = done.get(way.target, Work()), done.get(way.rest, Work())
        if with_it.units or without.units:
            finished.add(process)
        if way.share is None or process in record.on_stage:
            told = told[0] + with_it.units, told[1] + without.units
        if not _is_compared(way, with_it, without):
            continue
        name = _place(process, len(heard))
        places[name] = places.get(name, Sums()) + _sums(with_it, without)
        treated, untreated = treated + with_it, untreated + without
    made = Slice(
        ends_s=now_s,
        took_s=now_s - (record.looked_s or now_s),
        places=places,
        treated=treated,
        untreated=untreated,
        told=told,
    )
    return made, frozenset(finished)


def _is_compared(way: Way, treated: Work, untreated: Work) -> bool:
    if way.share is None:
        return bool(treated.units or untreated.units)
    return bool(treated.units and untreated.units)


def _place(process: str, processes: int) -> str:
    if processes <= _MOST_PLACES:
        return process
    return str(crc32(process.encode()) % _MOST_PLACES)


def _sums(treated: Work, untreated: Work) -> Sums:
    return Sums(
        treated.units,
        treated.failed,
        treated.seconds,
        untreated.units,
        untreated.failed,
        untreated.seconds,
    )
