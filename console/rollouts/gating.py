"""Gates that a rollout names: it goes on only while all of them pass."""

from collections.abc import Collection, Mapping, Sequence

import structlog
from django.db import Error, connection

from console.roadmap.gates import standing
from console.roadmap.gates.judged import Judged

log = structlog.get_logger(__name__)

type Gates = Mapping[str, Judged] | None
"""By id; None: they could not be judged."""


def judged(names: Collection[str]) -> Gates:
    """Those named. Not to be asked with a lock in hand: it may take its time."""
    if not names:
        return {}
    try:
        return {one.id: one for one in standing.judge_all() if one.id in names}
    except Error:
        if connection.connection is None or connection.connection.closed:
            raise
        log.exception("rollouts.gates_not_judged")
    except Exception:
        log.exception("rollouts.gates_not_judged")
    return None


def failing(names: Sequence[str], gates: Gates) -> str:
    """Those that do not pass, in words; empty where all do."""
    said = [words for name in names if (words := _why_not(name, gates))]
    return f"It waits for gates. {' '.join(said)}" if said else ""


def _why_not(name: str, gates: Gates) -> str:
    if gates is None:
        return f"{name} is at no data: it could not be judged, the log says why."
    if (one := gates.get(name)) is None:
        return f"{name} is no gate any more."
    if one.state == "pass":
        return ""
    return f"{one.title} ({name}) is at {one.state.replace('_', ' ')}: {one.why}"


def unfit(names: Sequence[str]) -> tuple[str, str] | None:
    """The first that cannot be waited for, and what it is to be instead."""
    states = {one.id: one.state for one in standing.judge_all()} if names else {}
    for name in names:
        if name not in states:
            return name, "a gate: `manage.py gates` lists them"
        if states[name] == "not_measurable":
            return name, "a gate that is measured here: it would be waited for without end"
    return None
