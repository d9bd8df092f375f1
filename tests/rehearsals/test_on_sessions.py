"""A session that is slow, and nothing else, comes back in time."""

import time
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.db import connection

from console.flags.catalogue import BY_KEY
from console.rehearsals import drilling
from console.rehearsals.drilling import Found, drill
from console.rehearsals.judging import judge
from console.rehearsals.load import Stuck
from console.rehearsals.on_sessions import Statements, statements
from validation import wiring
from validation.flags import STATEMENT_TIMEOUT

pytestmark = pytest.mark.django_db

KEY = STATEMENT_TIMEOUT.key


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What a drill goes by: it stands still but for statements."""
    told = SimpleNamespace(now=0.0)
    times = SimpleNamespace(perf_counter=lambda: told.now, sleep=time.sleep)
    monkeypatch.setattr(drilling, "time", times)
    return told


@pytest.fixture
def slow(clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Each statement takes a quarter of a second; Postgres ends those that hold `ended`, and the
    session at what holds `gone`.
    """

    class Slow(psycopg.Connection[Any]):
        ended = gone = "nothing"

        def execute(self, query: Any, *arguments: Any, **named: Any) -> Any:
            clock.now += 0.25
            if self.ended in str(query):
                raise psycopg.errors.QueryCanceled("canceling statement due to statement timeout")
            if self.gone in str(query):
                raise psycopg.errors.AdminShutdown("terminating connection")
            return super().execute(query, *arguments, **named)

    params = connection.get_connection_params()
    monkeypatch.setattr(wiring, "connect", lambda: Slow.connect(**params, autocommit=True))
    return Slow


def drilled() -> Found:
    baseline, target = BY_KEY[KEY].variants
    with statements(KEY, baseline) as rig:
        return drill(rig, baseline=baseline, target=target, units=10)


@pytest.mark.usefixtures("slow")
def test_slow_statements_are_no_fault_of_their_time_limit() -> None:
    found = drilled()
    assert judge(found).passed, judge(found).why


@pytest.mark.parametrize("ended", ["SELECT %s", "SET statement_timeout", "FROM pg_settings"])
def test_statements_that_postgres_ends_are_a_fault_of_it(ended: str, slow: Any) -> None:
    baseline, target = BY_KEY[KEY].variants
    with statements(KEY, baseline) as rig:
        slow.ended = ended
        rig.switch(target)
        first, second = rig.ask(["1", "2"])
    assert first.wrong.startswith("canceling statement")
    assert second.wrong.startswith("canceling statement")


def test_a_restart_of_postgres_on_the_way_back_is_no_fault_of_it(
    slow: Any, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause = time.sleep

    def look_again(after_s: float) -> None:
        pause(after_s)
        clock.now += 0.1

    monkeypatch.setattr("console.rehearsals.drilling.time.sleep", look_again)
    switch, (baseline, _) = Statements.switch, BY_KEY[KEY].variants

    def restarted(rig: Statements, variant: str) -> None:
        if variant == baseline and hasattr(rig, "_told"):
            slow.gone = "SET statement_timeout"
        switch(rig, variant)

    monkeypatch.setattr(Statements, "switch", restarted)
    with pytest.raises(Stuck, match="AdminShutdown: terminating connection"):
        drilled()
