"""How the roadmap's states are drawn: of an optimisation, a claim's verdict, a gate."""

from collections.abc import Mapping
from typing import Final

from console.experiments import telling
from console.experiments.models import Experiment
from console.pages.states import State
from console.roadmap.status import State as Standing
from console.roadmap.status import Status

STANDINGS: Final[Mapping[Standing, State]] = {
    Standing.DONE: State(glyph="closed", word="Done"),
    Standing.IN_FORCE: State(glyph="closed", word="In force", effect="not proved"),
    Standing.PARTIAL: State(glyph="half", word="In part"),
    Standing.OFF: State(glyph="idle", word="Off"),
    Standing.NOT_BUILT: State(glyph="idle", word="Not built"),
}
# From the furthest to what is not there; how a bar shades them.
ORDER: Final[tuple[tuple[Standing, str], ...]] = (
    (Standing.DONE, "part-done"),
    (Standing.IN_FORCE, "part-in-force"),
    (Standing.PARTIAL, "part-partial"),
    (Standing.OFF, "part-off"),
    (Standing.NOT_BUILT, "part-not-built"),
)
VERDICTS: Final[Mapping[str, State]] = {
    "proved": State(glyph="closed", word="Proved"),
    "short": State(glyph="closed", word="Proved, less than claimed"),
    "refuted": State(glyph="open", word="Refuted"),
    "inconclusive": State(glyph="half", word="Inconclusive"),
    "none": State(glyph="idle", word="Not measured"),
    "unmeasurable": State(glyph="idle", word="Not measurable here"),
}
GATES: Final[Mapping[str, State]] = {
    "pass": State(glyph="closed", word="Pass"),
    "fail": State(glyph="open", word="Fail"),
    "no_data": State(glyph="idle", word="No data"),
    "not_measurable": State(glyph="idle", word="Not measurable"),
}


def of_verdict(experiment: Experiment | None) -> State:
    """Of the newest that is done; None: nothing was measured."""
    if experiment is None:
        return VERDICTS["none"]
    name = "short" if telling.is_short(experiment) else experiment.verdict
    return VERDICTS.get(name, VERDICTS["none"])


def of(shown: Standing, status: Status) -> State:
    """As it is shown; of what is there in part, for whom."""
    found = STANDINGS[shown]
    if shown is Standing.PARTIAL and status.state is shown and status.share is not None:
        return State(glyph=found.glyph, word=found.word, effect=f"{status.share}\u202f%")
    return found
