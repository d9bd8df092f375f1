"""Who watches the watcher: questions that fail, rules that are unknown, checks that do not run."""

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from django.db.models.functions import Now

from console import alerting
from console.access.models import AuditCheck
from monitoring import collected, valkey
from monitoring.alerts.catalogue import RULES
from monitoring.collectors import told
from monitoring.models import Alert
from monitoring.processes import ProcessSnapshot
from tests import empty_world
from tests.alerts.looking import Watched, a_rule, at, seen
from tests.alerts.test_evaluate import session_of_tests
from tests.alerts.test_seen import figures

__all__ = ("session_of_tests",)
pytestmark = pytest.mark.django_db(transaction=True)
POOL = "db.pool_used"


@pytest.fixture(autouse=True)
def nobody_looked() -> Iterator[None]:
    empty_world.begin()
    yield
    empty_world.empty_servers()


@pytest.mark.parametrize("table", ["monitoring_series"])
def test_a_locked_table_leaves_the_rules_that_do_not_rest_on_it_judged(
    session_of_tests: psycopg.Connection, table: str
) -> None:
    watched = Watched(a_rule())
    watched.says(POOL, seen(0.85))
    session_of_tests.execute(f"BEGIN; LOCK {table}".encode())
    looks = watched.turns(watched.evaluator(), 0, 10)
    session_of_tests.execute("ROLLBACK")
    assert [one.mine for one in looks] == [True] * 3
    assert Alert.objects.get().state == "firing"


def test_the_age_of_the_last_look_is_a_figure_for_others_to_watch(
    session_of_tests: psycopg.Connection,
) -> None:
    assert "alerts" not in _ages()
    one = Watched(a_rule()).evaluator()
    one.turn(at(0))
    assert _ages()["alerts"] < 60
    assert valkey.client().expire("switchyard:collected:alerts", told.SAMPLE_S - 100)
    session_of_tests.execute("BEGIN; LOCK monitoring_alert")
    assert one.turn(at(5)).mine is None
    session_of_tests.execute("ROLLBACK")
    assert _ages()["alerts"] >= 100


def _ages() -> dict[str, float]:
    name = "switchyard_collected_age_seconds"
    return {
        sample.labels["source"]: sample.value
        for family in collected.families()
        for sample in family.samples
        if sample.name == name
    }


def test_alerts_of_unknown_rules_stop_nobody_and_end_after_an_hour() -> None:
    fields = {"rule": "gone.rule", "group": "nodes", "severity": "warning", "told": "warning"}
    Alert.objects.create(**fields, subject="a", state="cleared", began_at=at(0), cleared_at=at(1))
    Alert.objects.create(**fields, subject="b", state="firing", began_at=at(0), seen_at=at(0))
    watched = Watched(a_rule())
    watched.says(POOL, seen(0.85))
    one = watched.evaluator()
    assert [look.mine for look in watched.turns(one, 0, 10)] == [True] * 3
    assert Alert.objects.get(rule=POOL).state == "firing"
    assert Alert.objects.get(subject="b").state == "firing"
    one.turn(at(3605))
    ended = Alert.objects.get(subject="b")
    assert (ended.state, ended.told) == ("cleared", "over")
    assert "rule is gone" in ended.muted


def test_a_check_of_the_trail_that_does_not_run_is_an_alarm() -> None:
    AuditCheck.objects.update_or_create(
        pk=1, defaults={"checked_at": Now() - timedelta(days=3), "fault": ""}
    )
    (old,) = alerting._unchecked()
    assert (old.value or 0) > (RULES["audit.unchecked"].critical or 0)
    (broken,) = alerting._audit()
    assert broken.value is None
    AuditCheck.objects.filter(pk=1).update(checked_at=Now())
    (fresh,) = alerting._unchecked()
    assert (fresh.value or 0) < 60
    (broken,) = alerting._audit()
    assert broken.value == 0.0


def test_no_beat_is_an_alarm_and_not_to_know_is_none() -> None:
    beat = ProcessSnapshot(incarnation="host:1:1", kind="beat", sequence=1)
    assert figures("beat.silent", processes=(beat,)) == {"": 1}
    assert figures("beat.silent", processes=()) == {"": 0}
    assert figures("beat.silent", processes=None) is None
