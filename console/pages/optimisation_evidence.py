"""What is claimed of an optimisation, held against what was measured here, as the page shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.urls import reverse
from django.utils import timezone

from console.experiments import standing, surroundings, telling
from console.experiments.claims import Claim
from console.experiments.models import Experiment
from console.experiments.models import State as Stage
from console.experiments.powers import Powered
from console.experiments.standing import Standing
from console.pages import figures, roadmap_states
from console.pages.forest import Axis, Lane
from console.pages.states import State

# Measurements on the axis before the others are folded away.
_SHOWN: Final = 4
_STAGES: Final[Mapping[str, State]] = {
    "queued": State(glyph="half", word="Waiting"),
    "running": State(glyph="closed", word="Measuring"),
    "failed": State(glyph="open", word="Failed"),
    "cancelled": State(glyph="idle", word="Cancelled"),
    "interrupted": State(glyph="idle", word="Interrupted"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line under the axis: the claim itself, a measurement, or the same against itself."""

    name: str
    words: str
    lane: Lane
    # Of a measurement.
    experiment: Experiment | None = None
    state: State | None = None
    older_code: bool = False

    @property
    def href(self) -> str:
        return reverse("experiment", args=[self.experiment.pk]) if self.experiment else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """An experiment that waits or runs. `left_s` None: not known yet."""

    experiment: Experiment
    done: int
    left_s: float | None

    @property
    def wanted(self) -> int:
        return self.experiment.blocks_wanted

    @property
    def is_running(self) -> bool:
        return self.experiment.state == Stage.RUNNING

    @property
    def is_ending(self) -> bool:
        return self.is_running and self.experiment.cancel_asked

    @property
    def state(self) -> State:
        return _STAGES[self.experiment.state]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """One claim with all that was measured of it: the claim and the newest measurement first, then
    those before, then those that are folded away.
    """

    standing: Standing
    claim: Claim
    state: State
    expected: str
    least: str
    axis: Axis | None
    rows: tuple[Row, ...]
    earlier: tuple[Row, ...]
    so: str
    guards: tuple[tuple[Mapping[str, Any], str], ...]
    carried: str
    finds: tuple[Powered, ...]
    older_code: bool
    repeat: str
    progress: Progress | None
    # The newest try that came to nothing, where nothing was measured since.
    failed: Experiment | None

    @property
    def found(self) -> Experiment | None:
        return self.standing.newest


def claimed_of(each: Standing, now: datetime | None = None) -> Claimed | None:
    """None of what cannot be measured here."""
    if each.claim is None:
        return None
    newest = each.newest
    axis, rows = _drawn(each, each.claim)
    found = newest.found if newest else {}
    return Claimed(
        standing=each,
        claim=each.claim,
        state=roadmap_states.of_verdict(newest),
        expected=expected_of(each.claim),
        least=figures.signed(_towards(each.claim) * each.claim.least, each.claim.scale),
        axis=axis,
        rows=rows[:_SHOWN],
        earlier=rows[_SHOWN:],
        so=_so(each.claim, found),
        guards=tuple((one, words(one["effect"])) for one in found.get("guards", ())),
        carried=words(found["carry_over"]) if found.get("carry_over") else "",
        finds=each.finds,
        older_code=newest is not None and is_older(newest),
        repeat=telling.repeat(newest) if newest else f"manage.py experiment {each.key}",
        progress=progress_of(each, now or timezone.now()),
        failed=_failed(each),
    )


def progress_of(each: Standing, now: datetime) -> Progress | None:
    row, done = each.running, each.blocks_done
    if row is None:
        return None
    left_s = None
    if row.state == Stage.RUNNING and done and row.began_at:
        took_s = (now - row.began_at).total_seconds()
        left_s = took_s / done * max(row.blocks_wanted - done, 0)
    return Progress(experiment=row, done=done, left_s=left_s)


def expected_of(claim: Claim) -> str:
    """`−60 %`; where no figure is claimed, the direction alone."""
    if claim.expected is None:
        return f"{claim.direction}, by no figure"
    return figures.signed(claim.expected, claim.scale)


def words(effect: Mapping[str, Any]) -> str:
    """`−63.1 % (−64 % to −62 %)`."""
    scale = effect["scale"]
    low, high = (figures.signed(effect[name], scale) for name in ("low", "high"))
    return f"{figures.signed(effect['estimate'], scale)} ({low} to {high})"


def state_of(each: Experiment) -> State:
    if each.state == Stage.DONE:
        return roadmap_states.of_verdict(each)
    return _STAGES.get(each.state, roadmap_states.VERDICTS["none"])


def is_older(each: Experiment) -> bool:
    """Whether the sources have changed since."""
    return each.code_revision != surroundings.code_revision()


def _drawn(each: Standing, claim: Claim) -> tuple[Axis | None, tuple[Row, ...]]:
    """The claim, the newest measurement, the same against itself, then those before."""
    newest = each.newest
    done = [row for row in each.history if row.found and standing.is_of(claim, row)]
    before = [row for row in done if newest is None or row.pk != newest.pk]
    shown = [newest, *before] if newest else before
    ends = [row.found[name][end] for row in shown for name in ("effect", "noise") for end in _ENDS]
    if claim.expected is not None:
        ends.append(claim.expected)
    if not ends:
        return None, ()
    axis = Axis.over(ends, least=_towards(claim) * claim.least, scale=claim.scale)
    rows = []
    if claim.expected is not None:
        lane = axis.lane("claimed", claim.expected)
        rows.append(Row(name="Claimed", words=expected_of(claim), lane=lane))
    if newest is not None:
        rows.append(_row("Measured", newest, axis, "measured"))
        rows.append(_noise(newest, axis))
    rows += [_row("Before", row, axis, "earlier") for row in before]
    return axis, tuple(rows)


_ENDS = ("low", "high")


def _row(name: str, each: Experiment, axis: Axis, shade: str) -> Row:
    found = each.found["effect"]
    return Row(
        name=name,
        words=words(found),
        lane=axis.lane(shade, found["estimate"], found["low"], found["high"]),
        experiment=each,
        state=state_of(each),
        older_code=is_older(each),
    )


def _noise(each: Experiment, axis: Axis) -> Row:
    found = each.found["noise"]
    lane = axis.lane("noise", found["estimate"], found["low"], found["high"])
    return Row(name="Against itself", words=words(found), lane=lane)


def _failed(each: Standing) -> Experiment | None:
    last: Sequence[Experiment] = [row for row in each.history if not row.shipped]
    ended = next((row for row in last if row.state not in {Stage.QUEUED, Stage.RUNNING}), None)
    return ended if ended is not None and ended.state != Stage.DONE else None


def _so(claim: Claim, found: Mapping[str, Any]) -> str:
    """What became of the claimed figure itself."""
    if not found or claim.expected is None:
        return ""
    if not found["claimed_reached"]:
        return "is not reached here"
    effect = found["effect"]
    is_less = claim.direction == "less"
    is_beyond = effect["high"] < claim.expected if is_less else effect["low"] > claim.expected
    return "is surpassed here" if is_beyond else "may be true here"


def _towards(claim: Claim) -> float:
    return -1.0 if claim.direction == "less" else 1.0
