"""What was measured outlives the connection by which it is written."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from console.experiments import judging, measuring, running, writing
from console.experiments.models import Experiment, ExperimentBlock, State
from console.experiments.schedule import Arm
from console.experiments.workloads import WORKLOADS
from console.experiments.writing import written
from tests.experiments.made_up import ACTOR, Blocks, claim, less_in_parallel
from validation import wiring

pytestmark = pytest.mark.django_db(transaction=True)


def end_the_connection() -> None:
    """As a restart of Postgres does."""
    assert connection.connection is not None
    with wiring.connect() as other:
        pid = connection.connection.info.backend_pid
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def test_what_cannot_be_written_now_is_written_a_little_later() -> None:
    paused: list[float] = []

    def write() -> int:
        if not paused:
            connection.ensure_connection()
            end_the_connection()
        return Experiment.objects.filter(shipped=False).count()

    assert written(write, within_s=60, pause=paused.append) == 0
    assert len(paused) == 1


def test_a_database_that_stays_away_is_told_in_the_end() -> None:
    def away() -> None:
        raise OperationalError("the database is starting up")

    with pytest.raises(OperationalError, match="starting up"):
        written(away, within_s=0, pause=lambda _s: None)


def test_an_experiment_outlives_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_PAUSE_S", 0)
    asked = 0

    def figure(chance: Random, arm: Arm) -> float:
        nonlocal asked
        asked += 1
        if asked in {3, 32}:
            end_the_connection()
        return less_in_parallel(chance, arm)

    monkeypatch.setitem(WORKLOADS, "validate", Blocks(figure))
    done = measuring.run(running.make(claim(), ACTOR, seed=7))
    assert (done.state, done.verdict) == (State.DONE, "proved")
    assert [*done.blocks.order_by("ordinal").values_list("ordinal", flat=True)] == [*range(32)]


def test_a_verdict_outlives_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_PAUSE_S", 0)
    find: Callable[..., Any] = judging.find

    def late(*arguments: Any, **named: Any) -> Any:
        found = find(*arguments, **named)
        end_the_connection()
        return found

    monkeypatch.setattr(measuring, "find", late)
    monkeypatch.setitem(WORKLOADS, "validate", Blocks(less_in_parallel))
    assert measuring.run(running.make(claim(), ACTOR, seed=7)).state == State.DONE


def test_a_commit_of_which_no_word_came_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_PAUSE_S", 0)
    create, told = ExperimentBlock.objects.bulk_create, list[int]()

    def unheard() -> None:
        raise OperationalError("the connection is lost")

    def made(rows: Any, **named: Any) -> Any:
        told.append(len(rows))
        if len(told) == 1:
            transaction.on_commit(unheard)
        return create(rows, **named)

    monkeypatch.setattr(ExperimentBlock.objects, "bulk_create", made)
    monkeypatch.setitem(WORKLOADS, "validate", Blocks(less_in_parallel))
    done = measuring.run(running.make(claim(), ACTOR, seed=7))
    assert (done.state, done.blocks.count()) == (State.DONE, 32)
    assert len(told) == 33
