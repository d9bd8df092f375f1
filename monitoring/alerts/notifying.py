"""Brings notifications to their destinations: written down first, tried until they are taken.

A delivery is claimed with the moment at which somebody else may try it, so that one whose process
dies on the way is tried again, with the same key: at least once, never silently not at all.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Final

import structlog
from django.conf import settings
from django.db import Error, connection, connections, transaction
from django.db.models import F

from monitoring import events
from monitoring.alerts import digests, sending, wording
from monitoring.alerts.destinations import Destination
from monitoring.alerts.lines import DEADLINE_S, Letter, Line, Record
from monitoring.alerts.sending import Send
from monitoring.models import Delivery, Notification

TOPIC: Final = "alerts"
# After a first, second … failure. The one after the last is the last: two hours in all.
BACKOFF_S: Final = (10, 30, 60, 300, 900, 1_800, 3_600)
PENDING: Final = ("due", "failed")
_AT_ONCE = 10
_ROUTED_AT_ONCE = 100
# Beyond its deadline, until another may try what was claimed: its outcome is being written.
_GRACE_S = 30.0
_STRANGE = timedelta(hours=1)

log = structlog.get_logger(__name__)


class Courier:
    """Of one process. Any number may work at once: each delivery is claimed by one of them."""

    def __init__(
        self,
        destinations: Sequence[Destination],
        *,
        send: Send = sending.send,
        deadline_s: float = DEADLINE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._destinations = {one.name: one for one in destinations}
        self._lines = {
            one.name: Line(one, send, deadline_s=deadline_s, clock=clock) for one in destinations
        }
        self._deadline_s = deadline_s
        self._clock = clock

    def turn(self, now: datetime) -> int:
        """Routes what is new, begins what is due; how many deliveries were begun. Never waits for a
        destination: outcomes are written by the threads that send.
        """
        self._route(now)
        _give_up_strangers(self._lines, now)
        began = self._clock()

        def record(letter: Letter, error: str) -> None:
            _record(letter, error, now + timedelta(seconds=self._clock() - began))

        begun = 0
        for name, line in self._lines.items():
            for letter in line.overdue():
                record(letter, f"No answer within {self._deadline_s:g} s.")
            if line.is_free() and (letters := self._claim(name, now)):
                line.begin(letters, record)
                begun += len(letters)
        return begun

    def tell_at_once(self, letter: Letter) -> Mapping[str, str]:
        """To all whom it concerns, past Postgres: each destination's name with "" or why not.

        For what cannot be written down because Postgres is away. Waits, a deadline at most.
        """
        outcomes: dict[str, str] = {}
        lines = [
            line
            for line in self._lines.values()
            if line.destination.takes(letter.severity, letter.what)
        ]
        for line in lines:
            name = line.destination.name
            outcomes[name] = "Not tried: what was sent to it before still hangs."
            line.overdue()
            if line.is_free():
                outcomes[name] = f"No answer within {self._deadline_s:g} s."
                line.begin([letter], _into(outcomes, name))
        until = self._clock() + self._deadline_s
        for line in lines:
            line.join(max(until - self._clock(), 0))
        return dict(outcomes)

    def join(self, timeout_s: float) -> None:
        """Waits for what is on its way, for so long at each destination."""
        for line in self._lines.values():
            line.join(timeout_s)

    def _route(self, now: datetime) -> None:
        """Gives each new notification its deliveries, in one transaction with saying so."""
        with transaction.atomic():
            fresh = Notification.objects.select_for_update(skip_locked=True).filter(routed=False)
            rows = list(fresh.order_by("pk")[:_ROUTED_AT_ONCE])
            if not rows:
                return
            Delivery.objects.bulk_create(
                (
                    Delivery(notification=row, destination=one.name, next_at=now)
                    for row in rows
                    for one in self._destinations.values()
                    if one.takes(row.severity, row.what)
                ),
                ignore_conflicts=True,
            )
            Notification.objects.filter(pk__in=[row.pk for row in rows]).update(routed=True)
        events.publish(TOPIC)

    def _claim(self, name: str, now: datetime) -> list[Letter]:
        with transaction.atomic():
            due = Delivery.objects.select_for_update(skip_locked=True, of=("self",)).filter(
                destination=name, state__in=PENDING, next_at__lte=now
            )
            rows = list(due.select_related("notification").order_by("pk")[:_AT_ONCE])
            # One after the other, each with a deadline.
            until = timedelta(seconds=self._deadline_s * len(rows) + _GRACE_S)
            Delivery.objects.filter(pk__in=[row.pk for row in rows]).update(
                attempts=F("attempts") + 1, next_at=now + until
            )
        return [
            wording.letter(row.notification, delivery=row.pk, attempt=row.attempts + 1)
            for row in rows
        ]


def deliver_due(now: datetime | None = None) -> int:
    """One turn of this process's courier: writes the digests that are due, begins what is due.

    `now` None: by Postgres' clock, for what one process writes down another claims.
    """
    now = now or _now()
    if settings.NOTIFY_DESTINATIONS:
        digests.write_due(now)
    return courier().turn(now)


@cache
def courier() -> Courier:
    return Courier(settings.NOTIFY_DESTINATIONS)


def _now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        rows: list[tuple[datetime]] = cursor.fetchall()
    return rows[0][0]


@cache
def courier_at_once() -> Courier:
    """With lines of its own: a courier is for one thread, and another's is at work."""
    return Courier(settings.NOTIFY_DESTINATIONS)


def _give_up_strangers(known: Iterable[str], now: datetime) -> None:
    """What waits for a destination that NOTIFY_URLS does not name any more. After an hour: while
    processes are exchanged, another may still know it.
    """
    waiting = Delivery.objects.filter(state__in=PENDING, next_at__lte=now - _STRANGE)
    waiting.exclude(destination__in=known).update(
        state="given_up", error="NOTIFY_URLS names this destination no more."
    )


def _into(outcomes: dict[str, str], name: str) -> Record:
    def record(_: Letter, error: str) -> None:
        outcomes[name] = error

    return record


def _record(letter: Letter, error: str, now: datetime) -> None:
    """In the thread that sent it, whose connection is given back at once."""
    try:
        _write(letter, error, now)
    except Error as exc:
        # Tried again when its claim ends: it may then arrive a second time, with the same key.
        log.warning("notify.not_recorded", delivery=letter.delivery, error=type(exc).__name__)
    finally:
        connections.close_all()
    events.publish(TOPIC)


def _write(letter: Letter, error: str, now: datetime) -> None:
    found = Delivery.objects.filter(pk=letter.delivery)
    if not error:  # also one that was late, and is written down as failed
        late = found.exclude(state="delivered")
        late.update(state="delivered", error="", delivered_at=now)
        return
    last = letter.attempt > len(BACKOFF_S)
    wait_s = 0 if last else BACKOFF_S[letter.attempt - 1]
    # Whoever tried since knows better.
    found.filter(state__in=PENDING, attempts=letter.attempt).update(
        state="given_up" if last else "failed",
        error=error,
        next_at=now + timedelta(seconds=wait_s),
    )
    log.warning("notify.failed", delivery=letter.delivery, attempt=letter.attempt, error=error)
