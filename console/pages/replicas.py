"""The read replicas as pages show them: their state in words, and the share of reads each has."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from console.flags import web
from console.flags.catalogue import REPLICA_ROUTING
from console.pages import figures
from console.pages.states import State
from console.replicas import ReplicaStanding, standing


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaRow:
    """`share`: by weight, while all are in use. `why` nothing is read from it."""

    standing: ReplicaStanding
    state: State
    why: str
    share: str


def load() -> dict[str, Any]:
    """For a page's context. `has_replicas` False: none is configured here, and nobody tells of
    one.
    """
    routing = web.decisions().value(REPLICA_ROUTING)
    found = standing()
    total = sum(one.weight for one in found)
    rows = [
        ReplicaRow(
            standing=one,
            state=_state(one, is_off=routing == "off"),
            why=one.why or ("The flag is off." if routing == "off" else ""),
            share=figures.percent(one.weight / total) if routing == "weighted" else "–",
        )
        for one in found
    ]
    return {"replicas": rows, "has_replicas": bool(rows or settings.REPLICAS)}


def _state(one: ReplicaStanding, *, is_off: bool) -> State:
    if not one.reachable:
        return State(glyph="open", word="No answer")
    if not one.in_use:
        return State(glyph="half", word="Not in use")
    return State(glyph="idle", word="Well") if is_off else State(glyph="closed", word="In use")
