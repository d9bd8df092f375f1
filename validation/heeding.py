"""Keeps one process as operators want it, turn by turn: its number, its controls and its flags."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import psycopg
import structlog

from monitoring.snapshots import FlagReport
from validation import controls
from validation.controls import Obedience
from validation.deciding import Decider, Decisions, FlagSource
from validation.slots import Slots

log = structlog.get_logger(__name__)

type Connect = Callable[[], psycopg.Connection[Any]]

# The database is away or restarting; any other error of its is a defect and said as one.
DATABASE_AWAY = (psycopg.OperationalError, psycopg.InterfaceError)


class FlagsRefused(RuntimeError):
    """Some flags are not in force here; the others are."""


class Steered(controls.Nodes, Protocol):
    """What of the engine is steered: `validation.fleet_engine.FleetEngine` is one."""

    @property
    def breakers(self) -> controls.Breakers: ...
    @property
    def cache(self) -> controls.Cache: ...
    def begin(self) -> None: ...
    def decide(self, decisions: Decisions) -> Mapping[str, str]: ...
    def in_force(self) -> Mapping[str, str]: ...


class Heeding:
    """Of one process. Not for two threads at once, but `told` is for any."""

    def __init__(
        self,
        engine: Steered,
        source: FlagSource,
        *,
        holder: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._source = source
        self._slots = Slots("worker", holder, clock=clock)
        self._decider = Decider()
        self._decisions = Decisions()
        self._refused: Mapping[str, str] = {}
        self._unread: Exception | None = None
        self._has_begun = False
        self._obedience = Obedience(
            engine.breakers, engine.cache, nodes=engine, flags=self, clock=clock
        )

    def start(self) -> None:
        """What was known last holds, before anybody can be asked."""
        try:
            self._source.start()
        except Exception:
            log.exception("flags.not_started", do="the code's defaults hold until they are read")
        self._decide()

    def stop(self, connect: Connect) -> None:
        """Gives the number back, where Postgres can be told; else its lease runs out."""
        try:
            if self._slots.standing is not None:
                self._slots.release(connect())
        except DATABASE_AWAY:
            log.info("slot.not_released")
        self._source.stop()

    def tend(self) -> None:
        """Ends what has ended. Needs nobody, and never raises."""
        self._obedience.tend()

    def heed(self, connect: Connect) -> bool:
        """Reads what is new and obeys; True where something was. Raises psycopg's errors: time
        slots and ranks go on then, and what was decided last of the rest.
        """
        try:
            connection = connect()
            # First: what is decided by rank would be decided twice by a process that starts.
            moved = self._slots.beat(connection)
            changed = self._obedience.heed(connection)
            if not self._has_begun:
                self._engine.begin()
                self._has_begun = True
        finally:
            self._decide()
        return moved or changed

    # -- what `Obedience` asks of it

    def refresh(self, connection: psycopg.Connection[Any]) -> None:
        self._unread = None
        try:
            self._source.refresh(connection)
        except psycopg.Error:
            raise
        except Exception as error:
            # Its defect keeps nobody from the other controls; `obey` does not acknowledge it.
            log.exception("flags.not_read")
            self._unread = error

    def obey(self) -> None:
        if self._unread is not None:
            raise FlagsRefused("the flags cannot be read") from self._unread
        self._decide()
        if self._refused:
            told = "; ".join(f"{key}: {why}" for key, why in sorted(self._refused.items()))
            raise FlagsRefused(f"flags not in force: {told}")

    # -- what is told of it

    def told(self) -> dict[str, Any]:
        """Fields of this process's snapshot."""
        standing = self._slots.standing
        return {
            "acknowledged": self._obedience.revision,
            "flags": self._reports(),
            "flags_revision": self._decisions.revision,
            "slot": None if standing is None else standing.number,
        }

    def _reports(self) -> tuple[FlagReport, ...]:
        in_force, evaluations = self._engine.in_force(), self._decider.evaluations
        return tuple(
            FlagReport(
                key=key,
                variant=decision.variant,
                value=str(decision.value),
                reason=decision.reason,
                evaluations=dict(evaluations.get(key, {})),
                in_force=in_force.get(key, ""),
            )
            for key, decision in self._decisions.of.items()
        )

    def _decide(self) -> None:
        try:
            decisions = self._decider.decide(self._slots.standing, self._source.revision)
            refused = self._engine.decide(decisions)
        except TimeoutError:
            # The next turn tries again: what differs is asked of the engine, not remembered here.
            log.warning("flags.late", reason="the engine's loop had no turn for them in time")
            refused = {"": "the engine was too busy"}
        except Exception:
            # What was decided last holds; no item suffers for a flag.
            log.exception("flags.not_decided")
            refused = {"": "not decided"}
        else:
            self._decisions = decisions
        for key in refused.keys() - self._refused.keys() - {""}:
            log.error("flag.refused", flag=key, reason=refused[key])
        self._refused = refused
