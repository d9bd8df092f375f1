"""Which switch glyph, word and effect stands for each state. Colour follows the glyph."""

from dataclasses import dataclass
from typing import Literal

from console.fleetview import FleetNode
from console.pages.figures import count
from monitoring.snapshots import WorkerSnapshot
from validation.models import Run, RunState
from validation.services import Progress

type Glyph = Literal["closed", "half", "open", "idle"]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """`word` names it, `effect` says what it means for the operator."""

    glyph: Glyph
    word: str
    effect: str = ""


VERDICTS: dict[str, State] = {
    "valid": State(glyph="closed", word="Valid"),
    "invalid": State(glyph="open", word="Invalid"),
    "not_found": State(glyph="half", word="Not found"),
    "unverifiable": State(glyph="half", word="Unverifiable"),
    "error": State(glyph="half", word="Error"),
    "waiting": State(glyph="idle", word="Waiting"),
}
CHECKS: dict[str, State] = {
    "pass": State(glyph="closed", word="Pass"),
    "fail": State(glyph="open", word="Fail"),
    "skip": State(glyph="half", word="Skip"),
}
TOKENS: dict[str, State] = {
    "active": State(glyph="closed", word="Active"),
    "expired": State(glyph="idle", word="Expired"),
    "revoked": State(glyph="open", word="Revoked"),
}
# As a process reports them; an operator's own say so.
BREAKERS: dict[str, State] = {
    "closed": State(glyph="closed", word="Closed", effect="passing"),
    "half_open": State(glyph="half", word="Half-open", effect="probing"),
    "open": State(glyph="open", word="Open", effect="blocking"),
    "forced_open": State(glyph="open", word="Forced open", effect="blocking"),
    "forced_closed": State(glyph="closed", word="Forced closed", effect="passing all"),
    "metrics_only": State(glyph="idle", word="Metrics only", effect="never blocks"),
    "disabled": State(glyph="idle", word="Disabled", effect="not counting"),
}
NODES: dict[str, State] = {
    "in_service": State(glyph="closed", word="In service", effect="asked"),
    "cordoned": State(glyph="idle", word="Cordoned", effect="asked nothing"),
    "unreachable": State(glyph="open", word="Unreachable", effect="no answer"),
}
_WORKERS: dict[str, tuple[Glyph, str]] = {
    "up": ("closed", "Up"),
    "stale": ("half", "Stale"),
    "gone": ("open", "Gone"),
}


def of_run(run: Run, progress: Progress) -> State:
    """A run's own state, and once it ended what came of it."""
    if run.state == RunState.DRAFT:
        return State(glyph="half", word="Draft", effect="waiting for your word")
    if run.state == RunState.RUNNING:
        effect = "validating" if progress.done or progress.rate else "waiting for a worker"
        return State(glyph="closed" if progress.done else "half", word="Running", effect=effect)
    if run.state == RunState.CANCELLED:
        effect = f"{count(progress.total - progress.done)} not validated"
        return State(glyph="idle", word="Cancelled", effect=effect)
    return _of_done(progress)


def _of_done(progress: Progress) -> State:
    if progress.invalid:
        return State(glyph="open", word="Done", effect=f"{count(progress.invalid)} invalid")
    if unsettled := progress.done - progress.valid:
        return State(glyph="half", word="Done", effect=f"{count(unsettled)} not valid")
    return State(glyph="closed", word="Done", effect="all valid")


def of_breaker(state: str) -> State:
    """One that this version does not know is named as it came, without a colour."""
    return BREAKERS.get(state) or State(
        glyph="idle", word=state[:40].replace("_", " ").capitalize()
    )


def of_node(node: FleetNode) -> State:
    """One that was caught says so before all else; what that means for calls is the effect."""
    if node.state == "caught":
        effect = "still asked" if node.place.in_service else "cordoned"
        return State(glyph="open", word="Caught", effect=effect)
    if node.state == "in_service" and not node.workers:
        return State(glyph="idle", word="In service", effect="no worker reports")
    return NODES[node.state]


def of_worker(worker: WorkerSnapshot) -> State:
    glyph, word = _WORKERS[worker.state]
    effect = ("working" if worker.busy else "idle") if worker.state == "up" else "no report"
    return State(glyph=glyph, word=word, effect=effect)
