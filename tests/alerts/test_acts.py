"""Acknowledging and silencing: by whom, within which bounds, and what the trail says."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from console import alerts
from console.access.models import AuditEntry
from console.controls.errors import ControlError, Refused, RoleTooLow
from monitoring import valkey
from monitoring.models import Alert, Silence
from tests.controls.conftest import actor

pytestmark = pytest.mark.django_db
WHY = "The replica is being rebuilt"


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    yield
    valkey.client().flushdb()


def an_alert(**given: object) -> Alert:
    made: dict[str, object] = {
        "rule": "replica.lag",
        "subject": "replica_1",
        "group": "replicas",
        "severity": "warning",
        "state": "firing",
        "began_at": timezone.now(),
        "fired_at": timezone.now(),
    }
    return Alert.objects.create(**(made | given))


def test_who_acknowledges_is_on_the_alert_and_on_record() -> None:
    alert = an_alert()
    alerts.acknowledge(actor(), alert.pk, reason=WHY)
    alert.refresh_from_db()
    assert (alert.acknowledged_by, alert.acknowledged_reason) == ("ada", WHY)
    assert alert.acknowledged_at is not None
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.kind, entry.reason) == ("acknowledge", "alert", WHY)
    assert entry.target == f"{alert.pk} replica.lag replica_1"
    assert (entry.before, entry.after) == ({"acknowledged_by": ""}, {"acknowledged_by": "ada"})


def test_what_is_over_or_not_there_is_not_acknowledged() -> None:
    over = an_alert(state="cleared", cleared_at=timezone.now())
    with pytest.raises(ControlError, match="is over since"):
        alerts.acknowledge(actor(), over.pk, reason=WHY)
    with pytest.raises(alerts.UnknownAlert, match="There is no alert 0"):
        alerts.acknowledge(actor(), 0, reason=WHY)
    assert not AuditEntry.objects.exists()


def test_a_silence_has_an_end_and_is_on_record() -> None:
    made = alerts.silence(actor(), rule="replica.lag", subject="replica_*", for_s=600, reason=WHY)
    assert made.ends_at - made.begins_at == timedelta(seconds=600)
    assert (made.kind, made.by, made.reason) == ("silence", "ada", WHY)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.target) == ("silence", f"{made.pk} replica.lag replica_*")
    assert entry.after["ends_at"] == made.ends_at.isoformat()


def test_maintenance_may_begin_later() -> None:
    begins = timezone.now() + timedelta(hours=2)
    made = alerts.silence(
        actor(), group="database", kind="maintenance", for_s=3600, begins_at=begins, reason=WHY
    )
    assert (made.begins_at, made.ends_at) == (begins, begins + timedelta(hours=1))


def test_everything_is_silenced_by_announced_work_of_an_admin_alone() -> None:
    with pytest.raises(Refused, match="rule"):
        alerts.silence(actor("admin"), for_s=600, reason=WHY)
    with pytest.raises(RoleTooLow):
        alerts.silence(actor(), kind="maintenance", for_s=600, reason=WHY)
    alerts.silence(actor("admin"), kind="maintenance", for_s=600, reason=WHY)
    assert Silence.objects.count() == 1


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"rule": "replica.lags"}, "rule"),
        ({"group": "everything"}, "group"),
        ({"rule": "replica.lag", "kind": "mute"}, "kind"),
        ({"rule": "replica.lag", "subject": "a" * 161}, "subject"),
        ({"rule": "replica.lag", "for_s": 59}, "for_s"),
        ({"rule": "replica.lag", "for_s": 8 * 86_400}, "for_s"),
        ({"rule": "replica.lag", "for_s": float("nan")}, "for_s"),
        ({"rule": "replica.lag", "reason": "short"}, "reason"),
        ({"rule": "replica.lag", "begins_at": timezone.now() - timedelta(hours=1)}, "begins_at"),
        ({"rule": "replica.lag", "begins_at": timezone.now() + timedelta(days=31)}, "begins_at"),
    ],
)
def test_what_cannot_be_wanted_is_refused_by_name(given: dict[str, object], field: str) -> None:
    asked: dict[str, object] = {"for_s": 600, "reason": WHY}
    with pytest.raises(Refused) as refused:
        alerts.silence(actor("admin"), **(asked | given))  # type: ignore[arg-type]
    assert refused.value.field == field
    assert not Silence.objects.exists()


def test_a_silence_is_ended_early_once() -> None:
    made = alerts.silence(actor(), rule="replica.lag", for_s=600, reason=WHY)
    ended = alerts.end_silence(actor(), made.pk, reason=WHY)
    assert ended.ends_at <= timezone.now() + timedelta(seconds=5)
    assert ended.ends_at < made.ends_at
    with pytest.raises(ControlError, match="ended at"):
        alerts.end_silence(actor(), made.pk, reason=WHY)
    with pytest.raises(alerts.UnknownAlert):
        alerts.end_silence(actor(), made.pk + 1, reason=WHY)


def test_what_was_to_begin_later_and_is_ended_never_begins() -> None:
    begins = timezone.now() + timedelta(hours=2)
    made = alerts.silence(
        actor(), rule="replica.lag", for_s=600, begins_at=begins, kind="maintenance", reason=WHY
    )
    ended = alerts.end_silence(actor(), made.pk, reason=WHY)
    assert ended.begins_at == ended.ends_at < begins


def _acknowledges() -> None:
    alerts.acknowledge(actor("viewer"), an_alert().pk, reason=WHY)


def _silences() -> None:
    alerts.silence(actor("viewer"), rule="replica.lag", for_s=600, reason=WHY)


@pytest.mark.parametrize("act", [_acknowledges, _silences])
def test_a_viewer_only_looks(act: Callable[[], None]) -> None:
    with pytest.raises(RoleTooLow):
        act()
    assert not AuditEntry.objects.exists()
