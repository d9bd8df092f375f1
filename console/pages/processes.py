"""What each process (worker, web, beat) takes of its machine, and how its memory is guarded."""

from dataclasses import dataclass
from typing import Any, Final

import redis

from console import fleetview
from console.pages.states import State
from monitoring.alerts.catalogue import RULES
from monitoring.collectors import processes, tasks, told
from monitoring.collectors.processes import ProcessFigures
from monitoring.collectors.tasks import TasksSample
from monitoring.snapshots import MemoryReport

_RULE: Final = RULES["worker.memory"]
_NEAR: Final = _RULE.warning or 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRow:
    """`guard` and its `state` None: there is none in this process, or it has not told yet."""

    found: ProcessFigures
    guard: MemoryReport | None
    state: State | None

    @property
    def loop_lag_ms(self) -> float | None:
        return _ms(self.found.loop_lag_s)

    @property
    def gc_pause_ms(self) -> float | None:
        return _ms(self.found.gc_pause_s)


def load(fleet: fleetview.Fleet) -> dict[str, Any]:
    """`processes` None: nobody can be asked."""
    return {
        "processes": _rows(fleet),
        "refusing": sum(bool(worker.memory and worker.memory.refuses) for worker in fleet.up),
        "tight": _tight(fleet),
        "tasks": told.read(tasks.SOURCE, TasksSample),
    }


def _tight(fleet: fleetview.Fleet) -> dict[str, Any] | None:
    """Of how many an alert would say that they are near their limit, in its own words."""
    shares = [worker.memory.share for worker in fleet.up if worker.memory]
    near = sum(share is not None and share >= _NEAR for share in shares)
    return {"number": near, "title": _RULE.title} if near else None


def _rows(fleet: fleetview.Fleet) -> tuple[ProcessRow, ...] | None:
    try:
        found = processes.collect().processes
    except redis.RedisError:
        return None
    guards = {worker.id: worker.memory for worker in fleet.up}
    rows = [_row(one, guards.get(one.id) if one.kind == "worker" else None) for one in found]
    return tuple(sorted(rows, key=_badness))


def _row(found: ProcessFigures, guard: MemoryReport | None) -> ProcessRow:
    return ProcessRow(found=found, guard=guard, state=of_guard(guard) if guard else None)


def of_guard(guard: MemoryReport) -> State:
    if guard.guard == "off":
        return State(glyph="idle", word="Not guarded", effect="takes work")
    if guard.used_bytes is None:
        return State(glyph="idle", word="Unknown", effect="nothing tells its memory")
    if guard.refuses:
        return State(glyph="open", word="Full", effect="cache dropped, takes no work")
    if guard.level != "ok":
        return State(glyph="half", word="Tight", effect="half of its cache dropped")
    return State(glyph="closed", word="Room", effect="takes work")


_KINDS = ("worker", "web", "beat")


def _badness(row: ProcessRow) -> tuple[int, float, int, str]:
    """Those that refuse first, then the fullest."""
    guard = row.guard
    level = ("all", "half").index(guard.level) if guard and guard.level != "ok" else 2
    share = (guard.share if guard else None) or 0.0
    kind = _KINDS.index(row.found.kind) if row.found.kind in _KINDS else len(_KINDS)
    return level, -round(share, 1), kind, row.found.id


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1_000
