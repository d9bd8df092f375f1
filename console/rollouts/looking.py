"""What the words of all processes come to, for one rollout: its record, and what is seen of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from console.flags.models import Unit
from console.rollouts import comparing, recording, records
from console.rollouts.comparing import Compared, Guard, Sample, Spread, verdict
from console.rollouts.judging import Seen
from console.rollouts.models import Rollout
from console.rollouts.records import Record, Slice, Way
from monitoring.arms import Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """`window` and `stage` are the numbers behind what was seen, for the log."""

    record: Record
    seen: Seen
    window: tuple[dict[str, Any], ...]
    stage: tuple[dict[str, Any], ...]


def look(row: Rollout, told: Sequence[Told] | None, now_s: float, *, by: str = "") -> Looked:
    """`by`: the process that looks."""
    taken = recording.take(records.unpack(row.record), way_of(row), told, now_s, by=by)
    record, by_process = taken.record, row.unit == Unit.PROCESS
    guards = [Guard(metric=one["metric"], most=one["most"]) for one in row.guards]
    between = Sample.of(record.slices, by_process=by_process).between
    if by_process and not between:
        between = comparing.BETWEEN_TWO
    whole = Sample.of_stage(records.of_stage(record), between=between)
    lent = comparing.spread(whole)
    stage = _compared(guards, whole, least_units=2 * row.least_units, sure=comparing.SURE_OF_STAGE)
    found = records.windows(record, row.least_units)
    last, before, *_ = (*(_window(guards, one, row, lent) for one in found), (), ())
    seen = Seen(
        missing=taken.missing,
        is_whole=taken.is_whole,
        alone=taken.alone,
        gap_s=taken.gap_s,
        last=verdict(last) if last else "unknown",
        before=verdict(before) if before else "unknown",
        total=verdict(stage) if stage else "unknown",
        leans=any(one.leans for one in stage),
        leans_lately=_lately(guards, record, row, last),
        thin=_few(last) < row.least_units,
        words=_words(last),
        words_of_stage=_words(stage),
    )
    return Looked(
        record=record,
        seen=seen,
        window=tuple(one.as_json() for one in last or stage),
        stage=tuple(one.as_json() for one in stage),
    )


def way_of(row: Rollout) -> Way:
    return Way(
        flag=row.flag,
        target=row.target,
        rest=row.rest,
        fleet=row.fleet,
        share=row.stage if row.unit == Unit.ITEM else None,
        least_units=row.least_units,
        is_given=row.stage > 0,
        keep_s=max(records.LEAST_KEPT_S, row.bake_s),
    )


def _window(
    guards: Sequence[Guard], slices: tuple[Slice, ...], row: Rollout, lent: Spread
) -> tuple[Compared, ...]:
    sample = Sample.of(slices, by_process=row.unit == Unit.PROCESS)
    return _compared(guards, sample, least_units=row.least_units, lent=lent)


def _compared(guards: Sequence[Guard], sample: Sample, **how: Any) -> tuple[Compared, ...]:
    """() where the noise is beyond all numbers: then nothing is known."""
    try:
        return comparing.compare(guards, sample, **how)
    except OverflowError:
        return ()


def _lately(guards: Sequence[Guard], record: Record, row: Rollout, last: Sequence[Compared]) -> str:
    """What the last bake shows above what is allowed, sure or not: an hour of good is no answer to
    ten bad minutes. Of p95, which blocks do not tell, the last window has to do.
    """
    done = records.lately(record, row.bake_s)
    if min(done.treated_units, done.untreated_units) < row.least_units:
        return ""
    said = [one.words for one in last if one.metric == "p95_s" and one.leans]
    shares = done.treated_failed / done.treated_units, done.untreated_failed / done.untreated_units
    means = done.treated_s / done.treated_units, done.untreated_s / done.untreated_units
    for one in guards:
        if one.metric == "error_share" and shares[0] - shares[1] > one.most:
            said.append(f"error_share {shares[0]:.2%} against {shares[1]:.2%}.")
        if one.metric == "mean_s" and means[1] and means[0] / means[1] - 1 > one.most:
            said.append(f"mean_s {means[0] / means[1] - 1:+.0%}.")
    return " ".join(said)


def _few(found: Sequence[Compared]) -> int:
    """Units of the smaller arm."""
    return min((min(one.treated_units, one.untreated_units) for one in found), default=0)


def _words(found: Sequence[Compared]) -> str:
    return "".join(f"{one.words}. " for one in found).strip()
