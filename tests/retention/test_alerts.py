"""Alerts that are over go with what was told of them; what is open or on its way stays."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from console import retention
from console.access.models import AuditEntry
from console.retention import dropping
from monitoring.models import Alert, Delivery, Notification, Silence
from tests.retention.conftest import BEAT

pytestmark = pytest.mark.django_db
DAYS = 90
LONG_AGO = 92


def ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


def alert(days: float, **more: object) -> Alert:
    """Over so many days ago, and told as over."""
    values = {"began_at": ago(days + 1), "cleared_at": ago(days), "state": "cleared"}
    return Alert.objects.create(
        rule="node.down", group="nodes", severity="critical", **({"told": "over"} | values | more)
    )


def told(key: str, days: float, *deliveries: str, **more: object) -> Notification:
    row = Notification.objects.create(
        key=key, group="nodes", severity="critical", title="x", body="x", created_at=ago(days),
        **({"what": "fired", "routed": True} | more),
    )  # fmt: skip
    for number, state in enumerate(deliveries):
        Delivery.objects.create(notification=row, destination=f"mail-{number}", state=state)
    return row


def silence(days: float) -> Silence:
    values = {"begins_at": ago(days + 1), "ends_at": ago(days), "reason": "x", "by": "amina"}
    return Silence.objects.create(**values)


def dropped() -> int:
    [turn] = [t for t in retention.turn(BEAT, now=timezone.now()) if t.target == "alerts"]
    return turn.dropped


def due() -> int:
    [kind] = [k for k in retention.standing(timezone.now()) if k.rule.target == "alerts"]
    return kind.due


@pytest.fixture(autouse=True)
def ninety_days(kept: Settings) -> Settings:
    kept.RETAIN_ALERTS_DAYS = DAYS
    return kept


def test_what_is_over_goes_and_is_on_record() -> None:
    alert(LONG_AGO)
    young = alert(DAYS - 1)
    told("old", LONG_AGO, "delivered", "given_up")
    late = told("young", DAYS - 1, "delivered")
    silence(LONG_AGO)
    lately = silence(DAYS - 1)
    assert due() == 3
    assert dropped() == 3
    assert due() == 0
    assert list(Alert.objects.all()) == [young]
    assert list(Notification.objects.all()) == [late]
    assert [row.notification_id for row in Delivery.objects.all()] == [late.pk]
    assert list(Silence.objects.all()) == [lately]
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.kind, entry.target) == ("retention", "retention", "alerts")
    counted = {"alerts": 1, "notifications": 1, "deliveries": 2, "silences": 1}
    assert counted.items() <= entry.after.items()
    assert entry.reason.startswith(
        "1 alerts that are over, 1 notifications with 2 deliveries, 1 silences,"
        " by RETAIN_ALERTS_DAYS=90, from before "
    )


@pytest.mark.parametrize(
    "more",
    [
        {"state": "firing", "cleared_at": None},
        {"state": "pending", "cleared_at": None, "told": ""},
        # That it is over has not been told yet.
        {"told": "critical"},
        # It began long ago, and was over lately.
        {"cleared_at": timezone.now()},
    ],
)
def test_an_alert_that_is_not_done_with_stays(more: dict[str, object]) -> None:
    alert(LONG_AGO, **more)
    assert due() == dropped() == 0
    assert not AuditEntry.objects.exists()


def test_what_is_on_its_way_stays_with_all_its_deliveries() -> None:
    told("tried again", LONG_AGO, "delivered", "failed")
    told("not begun", LONG_AGO, "due")
    told("not routed", LONG_AGO, routed=False)
    assert due() == dropped() == 0
    assert Delivery.objects.count() == 3


def test_a_digest_stays_until_the_next_was_written(kept: Settings) -> None:
    kept.RETAIN_ALERTS_DAYS = 7
    told("digest:monthly:2030-05-01", 40, "delivered", what="digest")
    assert dropped() == 0
    told("digest:monthly:2030-04-01", 70, "delivered", what="digest")
    assert dropped() == 1
    assert Notification.objects.get().key == "digest:monthly:2030-05-01"


def test_batches_are_bounded_and_each_is_on_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dropping, "ROWS", 2)
    oldest = alert(LONG_AGO + 9)
    for n in range(4):
        alert(LONG_AGO + n)
    turn = retention.turn(BEAT, now=timezone.now(), clock=iter(range(9)).__next__, budget_s=1)
    assert {"target": turn[-1].target, "dropped": turn[-1].dropped} == {
        "target": "alerts", "dropped": 2,
    }  # fmt: skip
    assert not Alert.objects.filter(pk=oldest.pk).exists()
    assert dropped() == 3
    assert [entry.after["alerts"] for entry in AuditEntry.objects.order_by("pk")] == [2, 2, 1]


def test_for_ever_is_for_ever(kept: Settings) -> None:
    kept.RETAIN_ALERTS_DAYS = 0
    alert(9_000)
    assert due() == dropped() == 0
