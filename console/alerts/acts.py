"""Each act is one row and one audit entry, or nothing. What is silenced is shown all the same."""

import math
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction

from console.access import audit
from console.access.audit import Actor
from console.access.roles import Role
from console.controls import bounds
from console.controls.errors import ControlError, Refused
from monitoring import events
from monitoring.alerts.catalogue import RULES
from monitoring.models import Alert, Notification, Silence

# Known trouble, from now on; announced work, which may begin later and concern everything.
KINDS: Final = ("silence", "maintenance")
SHORTEST_S: Final = 60
LONGEST_S: Final = 7 * 86_400
_AHEAD: Final = timedelta(days=30)
_SUBJECT: Final = 160
GROUPS: Final = tuple(dict.fromkeys(rule.group for rule in RULES.values()))


class UnknownAlert(ControlError):
    """There is no alert, or no silence, of that number."""


def acknowledge(actor: Actor, number: int, *, reason: str) -> Alert:
    """Says that somebody is at it, until it is over; once more replaces who and why."""
    bounds.needs(actor, Role.OPERATOR, "Acknowledging an alert")
    why = bounds.reason_of(reason)
    with transaction.atomic():
        alert = Alert.objects.select_for_update().filter(pk=number).first()
        if alert is None:
            raise UnknownAlert(f"There is no alert {number}: see the list of alerts.")
        if alert.state == "cleared":
            text = f"Alert {number} ({alert}) is over since {alert.cleared_at:%H:%M:%S} UTC"
            raise ControlError(f"{text}: there is nothing to acknowledge.")
        before = {"acknowledged_by": alert.acknowledged_by}
        alert.acknowledged_by, alert.acknowledged_reason = actor.name, why
        alert.acknowledged_at = _now()
        # Nothing else: who looks writes the other columns meanwhile.
        alert.save(
            update_fields=("acknowledged_by", "acknowledged_reason", "acknowledged_at"),
        )
        after = {"acknowledged_by": actor.name}
        _record(actor, "acknowledge", f"{number} {alert}", (before, after), why)
    return alert


def silence(
    actor: Actor,
    *,
    rule: str = "",
    group: str = "",
    subject: str = "",
    kind: str = "silence",
    for_s: float,
    begins_at: datetime | None = None,
    reason: str,
) -> Silence:
    """Tells nobody of what matches, for `for_s` seconds from now, or from `begins_at` on.

    A silence names a rule or a group; maintenance may concern everything, which an admin alone may
    announce.
    """
    bounds.needs(actor, Role.OPERATOR, "Silencing alerts")
    why = bounds.reason_of(reason)
    _known(rule, group, subject, kind)
    if not rule and not group:
        if kind == "silence":
            raise Refused("rule", "", "a rule of the catalogue, unless a group is named")
        bounds.needs(actor, Role.ADMIN, "Maintenance of everything")
    span_s = _span_of(for_s)
    with transaction.atomic():
        now = _now()
        begins = _beginning(begins_at, now)
        made = Silence.objects.create(
            rule=rule,
            group=group,
            subject=subject,
            kind=kind,
            begins_at=begins,
            ends_at=begins + timedelta(seconds=span_s),
            reason=why,
            by=actor.name,
        )
        _record(actor, kind, _target(made), ({}, _shown(made)), why)
    return made


def end_silence(actor: Actor, number: int, *, reason: str) -> Silence:
    """From now on those that fire are told again."""
    bounds.needs(actor, Role.OPERATOR, "Ending a silence")
    why = bounds.reason_of(reason)
    with transaction.atomic():
        found = Silence.objects.select_for_update().filter(pk=number).first()
        if found is None:
            raise UnknownAlert(f"There is no silence {number}: see the list of alerts.")
        now = _now()
        if found.ends_at <= now:
            raise ControlError(f"Silence {number} ended at {found.ends_at:%Y-%m-%d %H:%M:%S} UTC.")
        before = _shown(found)
        found.ends_at = now
        found.begins_at = min(found.begins_at, now)
        found.save(update_fields=("begins_at", "ends_at"))
        _record(actor, f"end_{found.kind}", _target(found), (before, _shown(found)), why)
    return found


def send_test(actor: Actor, *, reason: str) -> Notification:
    """Through the same outbox as alerts: it proves the way, and shows among the deliveries. One a
    minute, whoever asks.
    """
    bounds.needs(actor, Role.OPERATOR, "Sending a test")
    why = bounds.reason_of(reason)
    names = [one.name for one in settings.NOTIFY_DESTINATIONS]
    if not names:
        raise ControlError("NOTIFY_URLS names nobody: there is nobody to send a test to.")
    with transaction.atomic():
        now = _now()
        body = f"{actor.name} sent this at {now:%Y-%m-%d %H:%M:%S} UTC, to see that notifications "
        made, is_new = Notification.objects.get_or_create(
            key=f"test.{now:%Y-%m-%dT%H:%M}",
            defaults={
                "group": "console",
                "severity": "warning",
                "what": "test",
                "title": "Switchyard, a test",
                "body": f"{body}arrive. Nothing is wrong.",
            },
        )
        if not is_new:
            raise ControlError("A test was sent this minute already: wait for the next.")
        _record(actor, "send_test", made.key, ({}, {"destinations": names}), why)
    return made


def _known(rule: str, group: str, subject: str, kind: str) -> None:
    if kind not in KINDS:
        raise Refused("kind", kind, f"one of {', '.join(KINDS)}")
    if rule and rule not in RULES:
        raise Refused(
            "rule", rule, f"a rule of the catalogue, such as {', '.join(list(RULES)[:3])}"
        )
    if group and group not in GROUPS:
        raise Refused("group", group, f"one of {', '.join(GROUPS)}")
    if rule and group and group != RULES[rule].group:
        expected = f"that of {rule}, which is {RULES[rule].group}; name one of the two"
        raise Refused("group", group, expected)
    if len(subject) > _SUBJECT or not (subject.isprintable() or not subject):
        raise Refused("subject", subject, f"up to {_SUBJECT} printable characters; * is any")


def _span_of(for_s: float) -> float:
    if not math.isfinite(for_s) or not SHORTEST_S <= for_s <= LONGEST_S:
        raise Refused("for_s", for_s, f"a number of seconds from {SHORTEST_S} to {LONGEST_S}")
    return float(for_s)


def _beginning(begins_at: datetime | None, now: datetime) -> datetime:
    if begins_at is None:
        return now
    if not now - timedelta(minutes=1) <= begins_at <= now + _AHEAD:
        raise Refused("begins_at", begins_at.isoformat(), "a time from now to 30 days ahead")
    return begins_at


def _target(found: Silence) -> str:
    what = found.rule or found.group or "everything"
    return f"{found.pk} {what} {found.subject}".rstrip()


def _shown(found: Silence) -> dict[str, Any]:
    return {
        "rule": found.rule,
        "group": found.group,
        "subject": found.subject,
        "begins_at": found.begins_at.isoformat(),
        "ends_at": found.ends_at.isoformat(),
    }


type _Change = tuple[dict[str, Any], dict[str, Any]]


def _record(actor: Actor, action: str, target: str, change: _Change, why: str) -> None:
    before, after = change
    audit.record(
        actor, action, kind="alert", target=target[:160], before=before, after=after, reason=why
    )
    transaction.on_commit(lambda: events.publish("alerts", "overview"))


def _now() -> datetime:
    """By Postgres' clock, which those who look go by."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        rows: list[tuple[datetime]] = cursor.fetchall()
    return rows[0][0]
