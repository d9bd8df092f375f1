"""The drill before a rollout: found, begun where there is none, heeded."""

from dataclasses import dataclass
from typing import Literal

from django.db.models.functions import Now

from console.experiments import turns
from console.experiments.models import Experiment
from console.flags import reach
from console.rehearsals import standing
from console.rehearsals.models import Rehearsal, State
from console.rollouts.models import Rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsing:
    """`state` is "due" where there is none and none runs; "refused" where none will do."""

    state: Literal["good", "running", "due", "refused"]
    words: str


def look(row: Rollout) -> Rehearsing:
    found = standing.of(row.flag, row.target)
    if found is not None and found.is_fresh:
        return Rehearsing(state="good", words=found.words)
    if found is not None and found.is_one_way:
        return Rehearsing(state="refused", words=f"It cannot be taken back: {found.words}")
    drill = standing.waiting(row.flag, row.target)
    if drill is not None:
        return Rehearsing(state="running", words=_words(drill))
    return _ended(row)


def _words(drill: Rehearsal) -> str:
    """What it does, or waits for."""
    if drill.state == State.RUNNING:
        return f"Its drill runs: {drill.target} on and off again."
    for kind in (Rehearsal, Experiment):
        other = kind.objects.filter(state=turns.RUNNING, lease_until__gte=Now()).first()
        if other is not None:
            return f"Its drill waits for {other}, which runs: they would measure each other."
    if not reach.living()["worker"]:
        run = f"manage.py rehearse --run {drill.pk}"
        return f"Its drill waits: no worker is up to begin it. Start one, or run it: `{run}`."
    return "Its drill waits to be begun by a worker."


def _ended(row: Rollout) -> Rehearsing:
    """One of this rollout's that came to no verdict, or none. Of an interruption the variant knows
    nothing, so another drill is due; after the second one nobody can tell whether it ever ends.
    """
    of_it = Rehearsal.objects.filter(
        flag=row.flag, target=row.target, created_at__gte=row.created_at
    )
    last = of_it.exclude(state=State.QUEUED).order_by("-pk").first()
    # One that is said to run still is not: its runner is gone.
    broken_off = (State.INTERRUPTED, State.RUNNING)
    if last is None:
        return Rehearsing(state="due", words="")
    if last.state in broken_off:
        if of_it.filter(state__in=broken_off).count() == 1:
            return Rehearsing(state="due", words="")
        return Rehearsing(state="refused", words=f"Its drill was interrupted twice. {last.why}")
    # Of two tries one may have failed.
    came_to = "came to no verdict" if last.found and last.state == State.NOT_RUN else ""
    why = f"Its drill {came_to or State(last.state).label}: {last.why}"
    if last.state == State.PASSED:
        why = (
            "Its drill passed on other code than this: processes of two releases are at work. "
            "Start it again once all have the same."
        )
    return Rehearsing(state="refused", words=why)
