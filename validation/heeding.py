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
from validation.said import Said
from validation.slots import Slots, Standing

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


# Of a server that answers: it would not wait for us, or would not have us wait.
_HELD_UP = (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable)


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
        # What was decided last rests on this; stale: the flags are others.
        self._rests_on: tuple[int, Standing | None] | None = None
        self._is_stale = True
        self._said = Said()
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

    def stop(self, connection: psycopg.Connection[Any] | None) -> None:
        """Gives the number back, where a connection is open; else its lease runs out: to make one
        only for this may take longer than that.
        """
        try:
            if connection is not None and self._slots.standing is not None:
                self._slots.release(connection)
        except psycopg.Error as error:
            log.info("slot.not_released", error=type(error).__name__)
        finally:
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
            moved = self._beat(connection)
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
            self._is_stale |= self._source.refresh(connection)
        except Exception as error:
            if _is_away(error):
                raise
            # Its defect keeps nobody from the other controls; `obey` does not acknowledge it.
            if self._said.is_news("flags", error):
                log.exception("flags.not_read")
            self._unread = error
        else:
            self._said.is_over("flags")

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

    def _beat(self, connection: psycopg.Connection[Any]) -> bool:
        """Where numbers cannot be had, the last one holds, and the other controls are obeyed."""
        try:
            moved = self._slots.beat(connection)
        except Exception as error:
            if _is_away(error):
                raise
            if self._said.is_news("slots", error):
                log.exception("slots.not_read", do="see why; stages of processes stay as they are")
            return False
        self._said.is_over("slots")
        return moved

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
            decisions = self._decided()
            refused = self._engine.decide(decisions)
        except TimeoutError:
            # The next turn tries again: what differs is asked of the engine, not remembered here.
            log.warning("flags.late", reason="the engine's loop had no turn for them in time")
            refused = {"": "the engine was too busy"}
            self._is_stale = True
        except Exception as error:
            # What was decided last holds; no item suffers for a flag.
            if self._said.is_news("decide", error):
                log.exception("flags.not_decided")
            refused = {"": "not decided"}
            self._is_stale = True
        else:
            self._decisions = decisions
            self._said.is_over("decide")
        for key, reason in refused.items() - self._refused.items():
            if key:
                log.error("flag.refused", flag=key, reason=reason)
        self._refused = refused

    def _decided(self) -> Decisions:
        """As before, where nothing that it depends on is another."""
        standing, source = self._slots.standing, self._source
        rests_on = (source.revision, standing)
        if (
            source.revision
            and rests_on == self._rests_on
            and not (self._is_stale or source.is_timed)
        ):
            self._decider.count_again(self._decisions)
            return self._decisions
        decisions = self._decider.decide(standing, source.revision)
        self._is_stale, self._rests_on = False, rests_on
        return decisions


def _is_away(error: Exception) -> bool:
    return isinstance(error, DATABASE_AWAY) and not isinstance(error, _HELD_UP)
