"""Alerts that never were: one of each state, what mutes them, and what became of telling."""

from datetime import timedelta

from django.db import connection
from django.utils import timezone

from monitoring.alerts.catalogue import RULES
from monitoring.models import Alert, Delivery, Notification, Silence


def somebody_looked(*, ago_s: float | None = 1.0) -> None:
    """At all rules. None: never."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE monitoring_alertturn SET looked_at = now() - make_interval(secs => %s)", [ago_s]
        )


def raised(rule: str = "db.pool_used", **more: object) -> Alert:
    """Fires since two minutes, unless told otherwise."""
    now = timezone.now()
    values = {
        "subject": "db.primary", "group": RULES[rule].group if rule in RULES else "console",
        "severity": "warning", "state": "firing", "began_at": now - timedelta(minutes=3),
        "fired_at": now - timedelta(minutes=2), "value": 0.875, "worst": 0.9, "threshold": 0.8,
        "seen_at": now, "words": "7 of 8 connections are lent",
    }  # fmt: skip
    return Alert.objects.create(rule=rule, **(values | more))


def raise_some() -> int:
    """The number of one that fires, of several that are shown."""
    now = timezone.now()
    words = "node <b>1 has not answered for 31 s"
    down = raised("node.down", subject="n1", severity="critical", value=0.0, words=words)
    raised(acknowledged_by="amina", acknowledged_at=now, acknowledged_reason="it is <b> known")
    raised("db.pool_waits", state="pending", fired_at=None, value=None, worst=None)
    raised("cache.down", subject="", state="cleared", cleared_at=now, flaps=3)
    raised("from.tomorrow", subject="x", muted="follows from node.down n1")
    Silence.objects.create(
        rule="cache.down", begins_at=now, ends_at=now + timedelta(hours=1), by="amina",
        reason="the cache <b> is exchanged",
    )  # fmt: skip
    told = Notification.objects.create(
        key="nodes.fired.0123456789abcdef", group="nodes", severity="critical", what="fired",
        title="CRITICAL a node <b> is down", body=words, routed=True,
        alerts=[{"id": down.pk, "rule": "node.down", "subject": "n1", "severity": "critical"}],
    )  # fmt: skip
    for destination, state, error in (
        ("mail", "delivered", ""),
        ("slack-0a1b2c", "failed", "error=503 <b>"),
        ("pager", "given_up", "No answer within 30 s."),
        ("hook", "due", ""),
    ):
        Delivery.objects.create(
            notification=told, destination=destination, state=state, error=error, attempts=2,
            delivered_at=now if state == "delivered" else None,
        )  # fmt: skip
    return down.pk
