"""One drill: baseline, target, baseline again, under load; and what is read of what was written."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from console.experiments.engines import VariantRefused
from console.rehearsals.load import Answer, Load, Phase

RESTORED_S: Final = 5.0
"""The longest that a change may take: what is worse is no way back. A chunk under way ends with
what it began with, so on the way back as long as one took before is added: a slow node is no fault
of the flag's.
"""
_POLL_S: Final = 0.001


class NotShown(Exception):
    """Nothing can be said of the way back; says why."""


class Units(msgspec.Struct, frozen=True, kw_only=True):
    """Of one phase. `again`: those among them that the phase before had asked too; `differing` of
    them came back otherwise.
    """

    asked: int = 0
    right: int = 0
    wrong: int = 0
    lost: int = 0
    doubled: int = 0
    again: int = 0
    differing: int = 0
    first: str = ""


class Entries(msgspec.Struct, frozen=True, kw_only=True):
    """What one variant wrote, as one that begins with the other reads it: `written` entries, of
    which `read` were; `units` asked of them, of which `differing` came back otherwise.
    """

    written: int = 0
    read: int = 0
    corrupt: int = 0
    units: int = 0
    hits: int = 0
    differing: int = 0
    first: str = ""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """`in_force_s` and `restored_s`: from the change until the part says so itself and nothing of
    before is under way; None: not in time, `why_not` says how. `back`: what the
    target wrote, read by the baseline; `ahead`: what the baseline wrote, read by the target; None
    where nothing is kept.
    """

    load: str
    baseline_told: str
    target_told: str
    in_force_s: float | None
    restored_s: float | None
    why_not: str = ""
    before: Units = Units()
    during: Units = Units()
    after: Units = Units()
    back: Entries | None = None
    ahead: Entries | None = None


class Rig(Protocol):
    """Parts of a drill's own, with the baseline in force and warmed up."""

    load: str
    """What is asked, in words."""
    units: Sequence[str]
    """All different; a third of them for each phase."""
    chunk: int

    def switch(self, variant: str) -> None:
        """Raises VariantRefused; TimeoutError where it is done later, if at all."""

    def told(self) -> str:
        """What the part itself says is in force."""

    def expected(self, variant: str) -> str:
        """What it says with this variant in force."""

    def ask(self, units: Sequence[str]) -> Sequence[Answer]: ...

    def mark(self) -> None:
        """What is written from now on is the next variant's. The load is at rest."""

    def read(self, variant: str, said: Mapping[str, str]) -> Entries | None:
        """What was written since the last mark, read by a part that begins with `variant`. `said`:
        by unit, what came back of those who wrote. None: nothing is kept. The load is at rest.
        """


def drill(
    rig: Rig, *, baseline: str, target: str, units: int, alive: Callable[[], None] = lambda: None
) -> Found:
    """At least so many units a phase, but where some have no right result. Raises NotShown, and
    what the rig's parts raise.

    `alive` is called before all that may take long: nothing does for longer than twice
    `load.PATIENCE_S` and some seconds. What it raises ends the drill.
    """
    before, during, after = _phases(rig)
    with Load(rig.ask) as load:

        def read(variant: str, by: Phase) -> Entries | None:
            alive()
            load.rest()
            alive()
            return rig.read(variant, by.said)

        alive()
        load.turn(before)
        load.until(before, units)
        if before.right < before.asked:
            raise NotShown(f"The load does not come back even at the baseline: {before.first}.")
        chunk_s = before.longest_s
        alive()
        in_force_s, why = _switch(rig, load, target, during)
        if in_force_s is None:
            raise NotShown(f"The target does not come in force: {why}")
        ahead = read(target, before)
        rig.mark()
        alive()
        load.turn(_seeing(during, before))
        load.until(during, units)
        back = read(baseline, during)
        alive()
        load.turn(during)
        load.until(during, during.asked + rig.chunk)
        alive()
        restored_s, why = _switch(rig, load, baseline, _seeing(after, during), chunk_s=chunk_s)
        if restored_s is not None:
            alive()
            load.until(after, units)
    return Found(
        load=rig.load,
        baseline_told=rig.expected(baseline),
        target_told=rig.expected(target),
        in_force_s=in_force_s,
        restored_s=restored_s,
        why_not=why,
        before=_counted(before, {}),
        during=_counted(during, before.said),
        after=_counted(after, during.said),
        back=back,
        ahead=ahead,
    )


def _phases(rig: Rig) -> tuple[Phase, Phase, Phase]:
    third = len(rig.units) // 3
    before, during, after = (
        Phase(name=name, chunk=rig.chunk, fresh=rig.units[start : start + third])
        for name, start in (("before", 0), ("during", third), ("after", 2 * third))
    )
    return before, during, after


def _seeing(phase: Phase, last: Phase) -> Phase:
    """Its first chunk is one that the phase before had asked."""
    phase.again = list(last.said)[: phase.chunk]
    return phase


def _switch(
    rig: Rig, load: Load, variant: str, into: Phase, *, chunk_s: float = math.inf
) -> tuple[float | None, str]:
    """Units are of the phase `into` from when nothing else is in force on. `chunk_s`: so long a
    chunk under way may take on top of the change.
    """
    began, expected = time.perf_counter(), rig.expected(variant)
    try:
        rig.switch(variant)
    except VariantRefused as exc:
        return None, f"it is refused: {exc}"
    except TimeoutError:
        pass  # it is done a little later: what is told decides, within the time that it has
    while (told := rig.told()) != expected:
        load.check()  # some parts say only through it what is in force
        if time.perf_counter() - began > RESTORED_S:
            return None, f"{told!r} is in force after {RESTORED_S:.0f} s, not {expected!r}."
        time.sleep(_POLL_S)
    # Seen only now where the change itself had to be waited for.
    if (late_s := time.perf_counter() - began) > RESTORED_S:
        return (
            None,
            f"{expected!r} is in force only after {late_s:.1f} s, not within {RESTORED_S:.0f} s.",
        )
    load.until_settled()
    took_s = time.perf_counter() - began
    if took_s > RESTORED_S + chunk_s:
        return None, (
            f"what was under way ends only {took_s:.1f} s after the change; before, a chunk took "
            f"{chunk_s:.1f} s."
        )
    load.turn(into)
    return took_s, ""


def _counted(phase: Phase, said: Mapping[str, str]) -> Units:
    again = [unit for unit in phase.said if unit in said]
    otherwise = [unit for unit in again if phase.said[unit] != said[unit]]
    first = otherwise[0] if otherwise else ""
    return Units(
        asked=phase.asked,
        right=phase.right,
        wrong=phase.wrong,
        lost=phase.lost,
        doubled=phase.doubled,
        again=len(again),
        differing=len(otherwise),
        first=phase.first or (first and f"{first}: {said[first]}, then {phase.said[first]}"),
    )
