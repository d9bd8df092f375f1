"""Looks every five seconds at all that is known, and writes down what fires, what is over, and who
is to be told: in one transaction, so that both are there or neither.
"""

import random
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import psycopg
import structlog
from django.db import Error, connections

from monitoring import events
from monitoring.alerts import grouping, judging, looked, notifying, rows, strangers, turns, windows
from monitoring.alerts.away import Away
from monitoring.alerts.catalogue import RULES
from monitoring.alerts.judging import Change
from monitoring.alerts.observed import observed
from monitoring.alerts.rows import Known
from monitoring.alerts.rules import Rule
from monitoring.alerts.states import Standing
from monitoring.alerts.turns import STEP_S, Turn
from monitoring.alerts.windows import Windows
from monitoring.collectors import told
from monitoring.collectors.outcome import Outcome, look
from monitoring.collectors.postgres import SOURCE
from monitoring.collectors.questions import Questions, Row, questions

TOPIC: Final = "alerts"
# Longer than all that is asked while the connection is open.
_LOOK_S: Final = 10.0
_SIGNALS_S: Final = 3.0
_DELIVER_S: Final = 10.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """What one turn came to. `mine` None: Postgres could not be asked whose turn it is."""

    mine: bool | None
    changed: int = 0
    told: tuple[str, ...] = ()


class Evaluator:
    """One process's part. Its turns are taken one after another, by one thread."""

    def __init__(
        self,
        name: str,
        *,
        rules: Mapping[str, Rule] = RULES,
        see: Callable[..., Mapping[str, object]] = observed,
        deliver: Callable[[datetime | None], int] = notifying.deliver_due,
        away: Away | None = None,
    ) -> None:
        self._name = name
        self._rules = rules
        self._see = see
        self._deliver = deliver
        self._away = away or Away()
        self._stopping = threading.Event()
        self._news = threading.Event()
        self._threads = (
            threading.Thread(target=self._run, name="evaluator", daemon=True),
            threading.Thread(target=self._deliver_all, name="courier", daemon=True),
        )

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Waits a little for a turn that is under way."""
        self._stopping.set()
        self._news.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=2)

    def turn(self, now: datetime | None = None) -> Evaluated:
        """One look, if these seconds are nobody else's. `now` in place of Postgres' clock."""
        with ExitStack() as stack:
            opened = look(SOURCE, lambda: stack.enter_context(questions(look_s=_LOOK_S)))
            claim = look(SOURCE, lambda: _claim(opened.sample, self._name, now))
            if opened.sample is None or claim.failure:
                self._away.missed(opened.failure or claim.failure)
                return Evaluated(mine=None)
            if claim.sample is None:
                self._away.over()
                return Evaluated(mine=False)
            return self._look(opened.sample, claim.sample)

    def _look(self, on: Questions, turn: Turn) -> Evaluated:
        try:
            self._away.write_down(on, turn)
            known = strangers.without(rows.read(on, turn.now), self._rules)
            # Where it fails, the rules that do not rest on it are judged all the same.
            grown = look(SOURCE, lambda: windows.read(on, turn.now)).sample or Windows()
            found = looked.look(turn.now, grown, known.undelivered)
            seen = self._see(found, within_s=_SIGNALS_S)
            changes = judging.judge(self._rules, known, seen, turn)  # type: ignore[arg-type]
            with on.transaction(writes=True) as cursor:
                if not turns.hold(cursor, turn):
                    log.warning("alerts.given_up", why="another look was written down first")
                    return Evaluated(mine=False)
                turns.looked(cursor, turn)
                written = self._write(cursor, changes, known, turn)
                strangers.close(cursor, self._rules, turn.now)
        except psycopg.Error as exc:
            # The next turn finds the same again.
            log.warning("alerts.not_written", error=type(exc).__name__)
            return Evaluated(mine=None)
        looked_at = turns.Look(turn=turn.number)
        told.publish(Outcome(source=turns.SOURCE, took_s=0.0, sample=looked_at))
        if written.changed:
            events.publish(TOPIC, "overview")
        if written.told:
            self._news.set()
        return written

    def _write(
        self,
        cursor: psycopg.Cursor[Row],
        changes: tuple[Change, ...],
        known: Known,
        turn: Turn,
    ) -> Evaluated:
        standing = [_written(cursor, change, self._rules) for change in changes]
        found = [alert for alert in standing if alert is not None]
        notices = [
            notice
            for notice in grouping.notices(
                [*found, *known.cleared], self._rules, known.last, turn.now
            )
            if rows.tell(cursor, notice, turn.now)
        ]
        for notice in notices:
            log.warning("alert.told", what=notice.what, title=notice.title, key=notice.key)
        changed = sum(_is_change(change) for change in changes)
        return Evaluated(mine=True, changed=changed, told=tuple(notice.key for notice in notices))

    def _run(self) -> None:
        # Those who start together do not ask together.
        wait_s = random.uniform(0, 1)  # noqa: S311 - no secret
        while not self._stopping.wait(wait_s):
            try:
                self.turn()
            except Exception:
                # A mistake of ours in one turn must not end all that come.
                log.exception("alerts.failed")
            finally:
                connections.close_all()
            wait_s = STEP_S - time.time() % STEP_S + random.uniform(0.05, 0.5)  # noqa: S311 - as above

    def _deliver_all(self) -> None:
        """In a thread of its own: what is seen must not wait for what is told."""
        while not self._stopping.is_set():
            self._news.wait(_DELIVER_S)
            self._news.clear()
            try:
                self._deliver(None)
            except Error as exc:
                log.warning("alerts.not_delivered", error=type(exc).__name__)
            except Exception:
                log.exception("alerts.not_delivered")
            finally:
                connections.close_all()


def _claim(on: Questions | None, name: str, now: datetime | None) -> Turn | None:
    return turns.claim(on, name, now) if on else None


def _written(
    cursor: psycopg.Cursor[Row], change: Change, rules: Mapping[str, Rule]
) -> Standing | None:
    """The alert as it is written, with its number."""
    if change.now is None:
        if change.was is not None:
            rows.forget(cursor, change.was)
        return None
    if change.was is None:
        number = rows.insert(cursor, change.now, rules[change.now.rule].group)
        return replace(change.now, id=number) if number else None
    return change.now if rows.update(cursor, change.was, change.now) else None


def _is_change(change: Change) -> bool:
    """Something that a page shows beside the newest figure."""
    was, now = change.was, change.now
    if was is None or now is None:
        return True
    return (was.state, was.severity, was.muted) != (now.state, now.severity, now.muted)
