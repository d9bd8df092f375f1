"""What rollouts tell the alerts, and that the catalogue has a rule and a runbook for each."""

from datetime import timedelta

import pytest

from console import alerting, runbooks
from console.flags import clock
from console.rollouts import signals
from console.rollouts.models import Automation, Rollout
from monitoring.alerts.catalogue import RULES
from tests.rollouts.bench import FLAG, Bench, started

pytestmark = pytest.mark.django_db


def test_one_that_was_taken_back_is_an_alarm_while_it_cools_down() -> None:
    bench = Bench(started(bake_s=60))
    bench.tick(10)
    assert list(signals.rolled_back()) == []
    bench.is_away = True
    bench.tick(2)
    assert [(one.subject, one.value) for one in signals.held()] == [(FLAG, 1.0)]
    bench.tick(12)
    told = list(signals.rolled_back())
    assert [(one.subject, one.value) for one in told] == [(FLAG, 1.0)]
    assert "Three windows of 4 s told nothing" in told[0].words
    assert list(signals.held()) == []
    Rollout.objects.update(ended_at=bench.now - timedelta(hours=1))
    assert list(signals.rolled_back()) == []


def test_stopped_rollouts_are_critical_until_an_operator_has_looked() -> None:
    assert [one.value for one in signals.stopped()] == [0.0]
    Automation.objects.create(stopped_at=started().created_at, why="Rollouts are stopped.")
    assert [(one.value, one.words) for one in signals.stopped()] == [(1.0, "Rollouts are stopped.")]
    assert RULES[signals.STOPPED].critical == 1.0


def at_five_percent(monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Its time is also the time at which alarms are looked for."""
    bench = Bench(started(bake_s=60))
    monkeypatch.setattr(clock, "now", lambda: bench.now)
    assert bench.tick(6) == ["advance"]
    return bench


def test_one_that_nobody_looks_at_is_an_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = at_five_percent(monkeypatch)
    assert list(signals.unwatched()) == []
    bench.fleet.work(11)
    told = list(signals.unwatched())
    assert [(one.subject, one.value) for one in told] == [(FLAG, 1.0)]
    assert "5 %, and nobody has looked for 11 s." in told[0].words
    assert RULES[signals.UNWATCHED].critical == 1.0
    Rollout.objects.update(stage=0)
    assert list(signals.unwatched()) == []


def test_looked_at_with_gaps_alone_is_an_alarm_until_a_window_is_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = at_five_percent(monkeypatch)
    bench.tick(2, seconds=5)
    assert list(signals.unwatched()) == []
    bench.tick(2, seconds=5)
    told = list(signals.unwatched())
    assert [one.subject for one in told] == [FLAG]
    assert "nobody looked often enough" in told[0].words
    bench.tick(6)
    assert list(signals.unwatched()) == []


def test_each_has_its_rule_its_runbook_and_somebody_who_asks() -> None:
    alerting.register()
    for key in (signals.ROLLED_BACK, signals.HELD, signals.STOPPED, signals.UNWATCHED):
        assert runbooks.is_there(RULES[key].runbook)
