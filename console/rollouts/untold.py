"""What is not told of a stage, in a sentence: processes that are silent, an arm that none has, that
does nothing, or much less than is due.
"""

from collections.abc import Sequence
from typing import Final

from console.flags.standing import ALL
from console.rollouts.records import MOST_OF_IT, WINDOW_S, Record, Way
from monitoring.arms import Told

# A process tells what it did once a chunk: longer than any takes, and its work is waited for.
IDLE_S: Final = 90.0
# A stage takes a moment to reach all.
REACHES_ALL_S: Final = 2 * WINDOW_S


def missing(
    record: Record, way: Way, told: Sequence[Told] | None, heard: Sequence[Told], now_s: float
) -> str:
    """`told`: by anybody, None where nobody could be asked; `heard`: of them, who counts. "" where
    all is told.
    """
    if not way.is_given:
        return _nobody(told, heard, way)
    return (
        _nobody(told, heard, way)
        or _held_by_none(record, heard, way, now_s)
        or _lopsided(record, way, now_s)
        or _dying(record, heard, way, now_s)
        or _idle(record, way, now_s)
    )


def held_by_all(record: Record, heard: Sequence[Told], way: Way, now_s: float) -> str:
    """Of processes: nothing is missing, but the fleet has shrunk into the stage. "" else."""
    if not way.is_given:
        return ""
    held = _held(record, heard, way, now_s)
    if way.target not in held or way.rest in held:
        return ""
    return (
        f"All of {len(heard)} that tell what they do have {way.target}: nobody is left to compare "
        "with, so nothing is judged. It bakes anew once another process has started."
    )


def _nobody(told: Sequence[Told] | None, heard: Sequence[Told], way: Way) -> str:
    if told is None:
        return "The cache server does not answer, so no process can be heard."
    if not heard:
        return f"No {way.fleet} process tells what it does."
    return ""


def _held(record: Record, heard: Sequence[Told], way: Way, now_s: float) -> set[str | None]:
    """Variants that processes have; empty where units are items, or while a stage goes to all."""
    if way.share is not None or now_s - record.begun_s < REACHES_ALL_S:
        return set()
    return {one.arms.holds.get(way.flag) for one in heard}


def _held_by_none(record: Record, heard: Sequence[Told], way: Way, now_s: float) -> str:
    """Of processes: those with the target may have died of it. Who is at a long chunk has it."""
    held = _held(record, heard, way, now_s)
    if not held or way.target in held:
        return ""
    return f"None of {len(heard)} processes that tell what they do has {way.target}."


def _lopsided(record: Record, way: Way, now_s: float) -> str:
    """Of items: where those without it are done and those with it are not, it may be what hangs."""
    if way.share is None or now_s - record.begun_s < REACHES_ALL_S:
        return ""
    took_s, treated, untreated = 0.0, 0, 0
    for one in reversed(record.slices):
        took_s += one.took_s
        treated, untreated = treated + one.told[0], untreated + one.told[1]
        is_whole = took_s >= MOST_OF_IT * WINDOW_S
        if is_whole and max(_due(way.share, treated, untreated)) >= way.least_units:
            break
    else:
        return ""
    due, due_else = _due(way.share, treated, untreated)
    for variant, units, wanted in ((way.target, treated, due), (way.rest, untreated, due_else)):
        if wanted >= way.least_units and units < wanted / 10:
            return f"{units} units with {variant} were told where {wanted:.0f} were due."
    return ""


def _dying(record: Record, heard: Sequence[Told], way: Way, now_s: float) -> str:
    """Of items: who dies of those with the target ends no chunk, and another process begins in its
    place, longer after the last one that ended than any takes.
    """
    if way.share is None:
        return ""
    quiet_s = now_s - max(record.begun_s, *record.worked_s)
    anew = sum(quiet_s - began_ago_s(one) > IDLE_S for one in heard)
    if not anew:
        return ""
    return (
        f"No chunk of this stage has ended for {quiet_s:.0f} s, and {anew} of {len(heard)} "
        "processes began meanwhile: those before them may have died of it."
    )


def began_ago_s(one: Told) -> float:
    return one.arms.up_s + one.age_s


def _due(percent: int, treated: int, untreated: int) -> tuple[float, float]:
    """Units of each arm, by those of the other."""
    if not 0 < percent < ALL:
        return 0.0, 0.0
    share = percent / ALL
    return untreated * share / (1 - share), treated * (1 - share) / share


def _idle(record: Record, way: Way, now_s: float) -> str:
    """Of processes: an arm that tells, and did nothing for longer than a chunk takes, while the
    other one works.
    """
    if way.share is not None:
        return ""
    treated_s, untreated_s = (max(one, record.begun_s) for one in record.worked_s)
    for variant, worked_s, other_s in (
        (way.target, treated_s, untreated_s),
        (way.rest, untreated_s, treated_s),
    ):
        if now_s - worked_s > IDLE_S and now_s - other_s <= WINDOW_S:
            return f"0 units with {variant} were told for {now_s - worked_s:.0f} s, others work."
    return ""
