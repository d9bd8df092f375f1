"""Units asked without a pause while a flag changes under them, and what came back of each."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, cycle, islice
from types import TracebackType
from typing import Final, Self

import psycopg
import redis

PATIENCE_S: Final = 120.0
"""Longer than any chunk may take, however slow what it asks: it ends by itself before."""
# Of what a part stands on, and no word of the part's own.
_SURROUNDINGS: Final = (
    *(OSError, redis.ConnectionError, redis.TimeoutError),
    *(psycopg.OperationalError, psycopg.InterfaceError),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back of a unit. `said` is the same whenever the same came back; `wrong` "" where
    it is what it should be.
    """

    unit: str
    said: str
    wrong: str = ""


class Stuck(Exception):
    """The load does not go on; says where."""


@dataclass(slots=True, kw_only=True)
class Phase:
    """Units asked while one variant was in force: `again` first, which another phase had asked,
    then `fresh` ones in turn. `asked` is what came back or should have.
    """

    name: str
    fresh: Sequence[str]
    chunk: int
    again: Sequence[str] = ()
    asked: int = 0
    right: int = 0
    wrong: int = 0
    lost: int = 0
    doubled: int = 0
    # Of one chunk.
    longest_s: float = 0.0
    # The first thing that was not as it should be.
    first: str = ""
    said: dict[str, str] = field(default_factory=dict)
    _units: Iterator[str] | None = None

    @property
    def is_spoiled(self) -> bool:
        return self.right < self.asked or self.doubled > 0

    def next(self) -> list[str]:
        if self._units is None:
            self._units = chain(self.again, cycle(self.fresh))
        return list(islice(self._units, self.chunk))

    def settle(self, units: Sequence[str], answers: Sequence[Answer]) -> None:
        """One answer a unit, in order, is what there should be."""
        self.asked += len(units)
        self.lost += max(0, len(units) - len(answers))
        self.doubled += max(0, len(answers) - len(units))
        if len(units) != len(answers):
            self._note(f"{len(units)} units had {len(answers)} answers")
        for unit, answer in zip(units, answers, strict=False):
            wrong = answer.wrong if answer.unit == unit else f"the answer of {answer.unit}"
            self.wrong += bool(wrong)
            self.right += not wrong
            if wrong:
                self._note(f"{unit}: {wrong}")
            self.said.setdefault(unit, answer.said)

    def lose(self, units: Sequence[str], why: BaseException) -> None:
        self.asked += len(units)
        self.lost += len(units)
        self._note(f"{units[0]} and {len(units) - 1} more: {type(why).__name__}: {why}")

    def _note(self, what: str) -> None:
        self.first = self.first or what


class Load:
    """A thread that asks chunk after chunk, as a worker does; each counts for the phase in which it
    began. At rest until it is given one. Ends with what it stands on: a node, a server, a machine
    that stalls are no unit lost.
    """

    def __init__(self, ask: Callable[[Sequence[str]], Sequence[Answer]]) -> None:
        self._ask = ask
        self._changed = threading.Condition()
        self._phase: Phase | None = None
        self._begun = self._ended = 0
        self._is_over = False
        self._failed = ""
        self._thread = threading.Thread(target=self._run, name="drill", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        self._thread.join(PATIENCE_S)

    def turn(self, phase: Phase | None) -> None:
        """Chunks that begin from now on are of this phase; None: there are none."""
        with self._changed:
            self._phase = phase
            self._changed.notify_all()

    def until(self, phase: Phase, asked: int) -> None:
        """Or until some have no right result: more of them would say no more, and may take as long
        each. Raises Stuck where neither is in time, or what it stands on fails.
        """
        self._wait(
            lambda: phase.asked >= asked or phase.is_spoiled,
            f"{phase.name}: {phase.asked} of {asked} units",
        )

    def until_settled(self) -> None:
        """What is under way now has ended, and with it all that began with another variant."""
        begun = self._begun
        self._wait(lambda: self._ended >= begun, "a chunk does not end")

    def check(self) -> None:
        """Raises Stuck where what it stands on failed: it asks no more, and learns of no change."""
        if self._failed:
            raise Stuck(f"The load does not go on: {self._failed}.")

    def rest(self) -> None:
        self.turn(None)
        self.until_settled()

    def _wait(self, is_so: Callable[[], bool], what: str) -> None:
        with self._changed:
            in_time = self._changed.wait_for(lambda: self._failed or is_so(), PATIENCE_S)
        self.check()
        if not in_time:
            raise Stuck(f"The load does not go on within {PATIENCE_S:.0f} s: {what}.")

    def _run(self) -> None:
        while (phase := self._begin()) is not None:
            units, began = phase.next(), time.perf_counter()
            try:
                answers, why = self._ask(units), None
            except _SURROUNDINGS as exc:
                self._fail(f"{units[0]} and {len(units) - 1} more: {type(exc).__name__}: {exc}")
                return
            except Exception as exc:  # noqa: BLE001 - whatever it is, these units had no answer
                answers, why = [], exc
            with self._changed:
                phase.longest_s = max(phase.longest_s, time.perf_counter() - began)
                if why is None:
                    phase.settle(units, answers)
                else:
                    phase.lose(units, why)
                self._ended += 1
                self._changed.notify_all()

    def _fail(self, why: str) -> None:
        with self._changed:
            self._failed = why
            self._changed.notify_all()

    def _begin(self) -> Phase | None:
        """The phase of the next chunk; None: it is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_over or self._phase is not None)
            if self._is_over:
                return None
            self._begun += 1
            return self._phase
