"""Whether what a drill found is a way back; a function of what it found and nothing else."""

from collections.abc import Iterator
from typing import NamedTuple

from console.rehearsals.drilling import Entries, Found, Units


class Judged(NamedTuple):
    """`why`: the first reason against it; of one that passed, what was seen."""

    passed: bool
    why: str


def judge(found: Found) -> Judged:
    for why in _against(found):
        return Judged(passed=False, why=why)
    return Judged(passed=True, why=_seen(found))


def _against(found: Found) -> Iterator[str]:
    if found.restored_s is None:
        yield f"The baseline does not come back: {found.why_not}"
    # Those that were asked while it changed back are with the target's.
    there = "With the target, or on the way back"
    for name, units in ((there, found.during), ("Back at the baseline", found.after)):
        if units.right < units.asked or units.doubled:
            yield (
                f"{name}, {units.asked - units.right} of {units.asked} units had no right result"
                f" ({units.lost} none, {units.doubled} one too many): {units.first}."
            )
        if units.differing:
            yield (
                f"{name}, {units.differing} of {units.again} units asked again came back otherwise:"
                f" {units.first}."
            )
    yield from _unread(found.back, "The baseline cannot read what the target wrote")
    yield from _unread(found.ahead, "The target cannot read what the baseline wrote")


def _unread(entries: Entries | None, what: str) -> Iterator[str]:
    if entries is None:
        return
    if entries.read < entries.written or entries.corrupt:
        yield (
            f"{what}: of {entries.written} entries {entries.written - entries.read} are not read,"
            f" {entries.corrupt} of them as corrupt."
        )
    if entries.differing:
        yield (
            f"{what} as it was meant: {entries.differing} of {entries.units} units came back"
            f" otherwise: {entries.first}."
        )


def _seen(found: Found) -> str:
    asked = sum(units.asked for units in _units(found))
    kept = "Nothing is kept of it."
    if found.back is not None and found.back.written:
        kept = f"All {found.back.written} entries that the target wrote are read by the baseline."
    elif found.back is not None:
        kept = "The target wrote no entries."
    return (
        f"In force after {_ms(found.in_force_s)}, the baseline after {_ms(found.restored_s)};"
        f" {asked} units, each with one right result. {kept}"
    )


def _units(found: Found) -> tuple[Units, ...]:
    return (found.before, found.during, found.after)


def _ms(seconds: float | None) -> str:
    return "no time" if seconds is None else f"{seconds * 1e3:.0f} ms"
