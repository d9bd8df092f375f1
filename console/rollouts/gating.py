"""Gates that a rollout names: it goes on only while all of them pass."""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

import structlog
from django.db import connections

from console.roadmap.gates import standing
from console.roadmap.gates.judged import Judged

log = structlog.get_logger(__name__)

type Gates = Mapping[str, Judged] | None
"""By id; None: they could not be judged."""

_EVERY_S: Final = 10.0
_GOOD_FOR_S: Final = 30.0


def _in_thread(work: Callable[[], None]) -> None:
    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    threading.Thread(target=run, name="rollouts-gates", daemon=True).start()


class Kept:
    """As they were judged last, in a thread of its own: a history that is slow to answer must not
    keep any rollout from being looked at. `judged` is for one thread.
    """

    def __init__(
        self,
        judge: Callable[[], Iterable[Judged]] = standing.judge_all,
        *,
        start: Callable[[Callable[[], None]], None] = _in_thread,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._judge = judge
        self._start = start
        self._clock = clock
        self._is_judging = False
        # Since when they are so.
        self._kept: tuple[float, Gates] | None = None

    def judged(self, names: Collection[str]) -> Gates:
        """Never waits. Without names nobody is asked; None: not in the last 30 s, or in vain."""
        if not names:
            return {}
        if not self._is_judging and self._age_s() >= _EVERY_S:
            self._start(self._judge_all)
        return self._kept[1] if self._kept and self._age_s() <= _GOOD_FOR_S else None

    def _age_s(self) -> float:
        return self._clock() - self._kept[0] if self._kept else float("inf")

    def _judge_all(self) -> None:
        self._is_judging, began_s = True, self._clock()
        try:
            self._kept = began_s, {one.id: one for one in self._judge()}
        except Exception:
            self._kept = began_s, None
            log.exception("rollouts.gates_not_judged")
        finally:
            self._is_judging = False


def failing(names: Sequence[str], gates: Gates) -> str:
    """Those that do not pass, in words; empty where all do."""
    said = [words for name in names if (words := _why_not(name, gates))]
    return f"It waits for gates. {' '.join(said)}" if said else ""


def _why_not(name: str, gates: Gates) -> str:
    if gates is None:
        return f"{name} is at no data: not judged in the last {_GOOD_FOR_S:.0f} s, or in vain."
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
