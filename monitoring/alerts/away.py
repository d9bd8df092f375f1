"""That Postgres is away, told without it: once, by whichever process the cache server lets; the row
is written when it is back.

The outage stands on the cache server under one name, so that all who look speak of the same one,
by the same key. A claim ends by itself: where who had it died on the way, another tells. Where the
cache server is away too, each process tells by itself: twice is better than not at all.
"""

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import psycopg
import redis
import structlog

from monitoring import valkey
from monitoring.alerts import grouping, notifying, wording
from monitoring.alerts.catalogue import RULES
from monitoring.alerts.lines import DEADLINE_S
from monitoring.alerts.turns import Turn, hold
from monitoring.collectors.questions import Questions, Row
from monitoring.models import Notification

_RULE: Final = RULES["postgres.down"]
_OUTAGE: Final = "switchyard:alerts:postgres-down"
_CLAIM: Final = f"{_OUTAGE}:claim"
_KEPT_S: Final = 86_400
# Longer than telling takes.
_CLAIM_S: Final = int(DEADLINE_S) + 15

_ALERT: Final = """
    INSERT INTO monitoring_alert
        (rule, subject, "group", severity, state, began_at, fired_at, value, worst, seen_at, words,
         threshold, flaps, told, told_at, muted, acknowledged_by, acknowledged_reason)
    SELECT %(rule)s::text, '', %(group)s, 'critical', 'firing', %(began)s::timestamptz,
           %(fired)s::timestamptz, 0, 0, %(fired)s::timestamptz, %(words)s, %(threshold)s, 0,
           %(told)s, %(told_at)s::timestamptz, '', '', ''
    WHERE NOT EXISTS (SELECT FROM monitoring_alert WHERE rule = %(rule)s AND began_at = %(began)s)
    ON CONFLICT DO NOTHING RETURNING id
"""
_NOTIFICATION: Final = """
    INSERT INTO monitoring_notification
        (key, "group", severity, what, title, body, alerts, routed, created_at)
    VALUES (%(key)s, %(group)s, 'critical', 'fired', %(title)s, %(body)s, %(alerts)s, true,
            %(fired)s)
    ON CONFLICT (key) DO NOTHING RETURNING id
"""
# What could not be told then is tried again from here.
_DELIVERY: Final = """
    INSERT INTO monitoring_delivery
        (notification_id, destination, state, attempts, next_at, error, delivered_at)
    VALUES (%(id)s, %(name)s, %(state)s, 1, %(now)s, %(error)s, %(at)s) ON CONFLICT DO NOTHING
"""

log = structlog.get_logger(__name__)

type Tell = Callable[[Notification], Mapping[str, str]]


class Outage(msgspec.Struct, kw_only=True, frozen=True):
    """Epoch seconds, by the clock of who missed Postgres first. `told` None: nobody was yet; else
    each destination with "" or why not.
    """

    began: float
    fired: float
    words: str
    told: dict[str, str] | None = None

    @property
    def key(self) -> str:
        return grouping.key_of(_RULE.group, "fired", f"away since {self.began:.0f}")


def tell_at_once(notification: Notification) -> Mapping[str, str]:
    return notifying.courier_at_once().tell_at_once(wording.letter(notification))


class Away:
    """What one process knows of it. For one thread."""

    def __init__(
        self,
        *,
        tell: Tell = tell_at_once,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._wall = wall
        self._since: float | None = None
        # As this process has told it or seen it told: the cache server may forget.
        self._outage: Outage | None = None

    def missed(self, failure: str) -> None:
        """A turn that Postgres did not answer."""
        now = self._clock()
        if self._since is None:
            self._since = now
        lasts_s = now - self._since
        if lasts_s < _RULE.hold_s or (self._outage and self._outage.told is not None):
            return
        ours = self._outage or Outage(
            began=self._wall() - lasts_s,
            fired=self._wall(),
            words=f"Postgres does not answer: {failure}",
        )
        try:
            outage = self._agreed(ours)
            self._outage = outage
            mine = outage.told is None and bool(_set_new(_CLAIM, b"1", _CLAIM_S))
        except redis.RedisError:
            outage, mine = ours, True
        if mine:
            self._outage = msgspec.structs.replace(outage, told=self._told(outage))
            self._remember(self._outage)

    def over(self) -> None:
        """Postgres answers, and another writes down what there was."""
        self._since = self._outage = None

    def write_down(self, on: Questions, turn: Turn) -> None:
        """Postgres is back: what was told without it. Raises psycopg.Error."""
        self._since = None
        outage, self._outage = self._known(), None
        if outage is None:
            return
        try:
            with on.transaction(writes=True) as cursor:
                if not hold(cursor, turn):
                    self._outage = outage
                    return
                _write(cursor, outage, turn)
        except (psycopg.ProgrammingError, psycopg.DataError):
            # A mistake of ours about what is over must not keep anybody from what is now.
            log.exception("alerts.outage_not_written", key=outage.key)
        try:
            valkey.client().delete(_OUTAGE, _CLAIM)
        except redis.RedisError:
            return  # it ends by itself, and what is written twice is written once

    def _told(self, outage: Outage) -> dict[str, str]:
        log.error("alert.told", what="fired", title=_RULE.title, key=outage.key, words=outage.words)
        return dict(self._tell(_notification(outage)))

    def _agreed(self, ours: Outage) -> Outage:
        """The one that all speak of: whose word came first."""
        if _set_new(_OUTAGE, msgspec.json.encode(ours), _KEPT_S):
            return ours
        return _read() or ours

    def _known(self) -> Outage | None:
        try:
            return _read() or self._outage
        except redis.RedisError:
            return self._outage

    def _remember(self, outage: Outage) -> None:
        try:
            valkey.client().set(_OUTAGE, msgspec.json.encode(outage), ex=_KEPT_S)
        except redis.RedisError:
            return


def _set_new(key: str, body: bytes, life_s: int) -> bool:
    return bool(valkey.client().set(key, body, nx=True, ex=life_s))


def _read() -> Outage | None:
    body = valkey.client().get(_OUTAGE)
    try:
        return msgspec.json.decode(body, type=Outage) if isinstance(body, str) else None
    except msgspec.DecodeError:
        return None


def _notification(outage: Outage) -> Notification:
    began = datetime.fromtimestamp(outage.began, UTC)
    return Notification(
        key=outage.key,
        group=_RULE.group,
        severity="critical",
        what="fired",
        title=f"CRITICAL {_RULE.title}",
        body=f"critical {_RULE.key} since {began:%Y-%m-%d %H:%M:%S} UTC\n  {outage.words}",
        alerts=[
            {"id": None, "rule": _RULE.key, "subject": "", "severity": "critical", "what": "fired"}
        ],
    )


def _write(cursor: psycopg.Cursor[Row], outage: Outage, turn: Turn) -> None:
    """The alert as it stood, then the notification and what became of it at each destination. One
    that nobody was told of is told the ordinary way.
    """
    fired = datetime.fromtimestamp(outage.fired, UTC)
    values: dict[str, Any] = {
        "rule": _RULE.key,
        "group": _RULE.group,
        "began": datetime.fromtimestamp(outage.began, UTC),
        "fired": fired,
        "words": outage.words,
        "threshold": _RULE.critical,
        "told": "" if outage.told is None else "critical",
        "told_at": None if outage.told is None else fired,
    }
    cursor.execute(_ALERT, values)
    row = cursor.fetchone()
    if row is None or outage.told is None:
        return
    said = _notification(outage)
    alerts = [{**said.alerts[0], "id": row["id"], "words": outage.words, "value": 0.0}]
    written = {"key": said.key, "title": said.title, "body": said.body}
    cursor.execute(_NOTIFICATION, {**values, **written, "alerts": json.dumps(alerts)})
    if found := cursor.fetchone():
        for name, error in outage.told.items():
            delivery = {"id": found["id"], "name": name, "now": turn.now, "error": error}
            state, at = ("failed", None) if error else ("delivered", fired)
            cursor.execute(_DELIVERY, {**delivery, "state": state, "at": at})
