"""The drill before a rollout: found, begun where there is none, heeded."""

from dataclasses import dataclass
from typing import Literal

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
    if standing.waiting(row.flag, row.target) is not None:
        return Rehearsing(state="running", words=f"Its drill runs: {row.target} on and off again.")
    return _ended(row)


def _ended(row: Rollout) -> Rehearsing:
    """One of this rollout's that came to no verdict, or none."""
    of_it = Rehearsal.objects.filter(
        flag=row.flag, target=row.target, created_at__gte=row.created_at
    )
    last = of_it.exclude(state__in=(State.QUEUED, State.RUNNING)).order_by("-pk").first()
    if last is None:
        return Rehearsing(state="due", words="")
    why = f"Its drill {State(last.state).label}: {last.why}"
    if last.state == State.PASSED:
        why = (
            "Its drill passed on other code than this: processes of two releases are at work. "
            "Start it again once all have the same."
        )
    return Rehearsing(state="refused", words=why)
