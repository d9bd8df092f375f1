"""An experiment's life: what was measured is kept, and what it is called in the end is true."""

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from random import Random
from typing import Any

import psutil
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from console.access.models import AuditEntry
from console.embedded.cluster import Cluster
from console.experiments import measuring, running, standing, tasks, turns
from console.experiments.claims import claims
from console.experiments.evidence import NoEvidence
from console.experiments.models import Experiment, State
from console.experiments.schedule import Arm
from console.experiments.workloads import WORKLOADS
from console.pages import history
from console.rehearsals.models import Rehearsal
from monitoring import events
from tests.experiments.made_up import ACTOR, Blocks, claim, less_in_parallel
from tests.fleet import wait_until
from tests.services import ROOT, process_environment

pytestmark = pytest.mark.django_db


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Has the workload of most claims be another."""

    def use(blocks: Blocks) -> None:
        monkeypatch.setitem(WORKLOADS, "validate", blocks)

    return use


def asked(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        call_command("experiment", *arguments)
    return int(str(ended.value.code))


def test_raw_figures_verdict_and_surroundings_are_kept(made_up: Any) -> None:
    made_up(Blocks(less_in_parallel))
    told: list[tuple[int, int]] = []
    done = measuring.run(
        running.make(claim(), ACTOR, seed=7), tell=lambda now, of: told.append((now, of))
    )
    assert (done.state, done.verdict, done.lease_until) == (State.DONE, "proved", None)
    assert done.found["effect"]["estimate"] == pytest.approx(-0.4, abs=0.03)
    assert done.found["claimed_reached"] is False
    assert told[0] == (1, 32)
    assert told[-1] == (32, 32)
    assert list(done.blocks.order_by("ordinal").values_list("ordinal", flat=True)) == [*range(32)]
    assert all(block.figures["item_ms"] > 0 for block in done.blocks.all())
    assert done.machine["processors"] >= 1
    assert done.code_revision
    entry = AuditEntry.objects.get(action="measure", target="fetch-parallel")
    assert history.entries([entry])[0].after == f"experiment {done.pk}, 8 pairs"


def test_pages_are_told_when_it_is_made_begins_and_ends(
    made_up: Any, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    made_up(Blocks(less_in_parallel))
    told: list[str] = []
    monkeypatch.setattr(events, "publish", lambda *topics: told.extend(topics))
    with django_capture_on_commit_callbacks(execute=True):
        experiment = running.make(claim(), ACTOR)
    assert told.count("experiments") == 1
    measuring.run(experiment)
    # Begun, a block now and then, ended: not each of the 32.
    assert 4 <= told.count("experiments") < 30


def test_the_same_seed_has_the_same_blocks(made_up: Any) -> None:
    made_up(Blocks(less_in_parallel))
    one, other = (measuring.run(running.make(claim(), ACTOR, seed=7)) for _ in range(2))
    assert one.found == other.found


def test_a_cancelled_one_keeps_what_there_is(made_up: Any) -> None:
    experiment = running.make(claim(), ACTOR)

    def after_three(number: int) -> None:
        if number == 3:
            assert running.cancel(experiment.pk, ACTOR)

    made_up(Blocks(less_in_parallel, before=after_three))
    ended = measuring.run(experiment)
    assert (ended.state, ended.verdict, ended.blocks.count()) == (State.CANCELLED, "", 4)
    assert not running.cancel(experiment.pk, ACTOR)


def test_one_that_waits_is_cancelled_at_once() -> None:
    experiment = running.make(claim(), ACTOR)
    assert running.cancel(experiment.pk, ACTOR)
    experiment.refresh_from_db()
    assert experiment.state == State.CANCELLED
    with pytest.raises(measuring.Busy, match="is not waiting: it is cancelled"):
        measuring.run(experiment)


def interrupt(error: BaseException) -> Any:
    def at_two(number: int) -> None:
        if number == 2:
            raise error

    return at_two


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (KeyboardInterrupt(), State.CANCELLED),
        (measuring.Terminated(), State.INTERRUPTED),
        (NoEvidence("0xabc came back as invalid"), State.FAILED),
        (TimeoutError(), State.FAILED),
    ],
)
def test_what_ends_it_early_is_no_verdict(error: BaseException, state: State, made_up: Any) -> None:
    made_up(Blocks(less_in_parallel, before=interrupt(error)))
    ended = measuring.run(running.make(claim(), ACTOR))
    assert (ended.state, ended.verdict, ended.found, ended.blocks.count()) == (state, "", {}, 2)
    assert ended.why


def test_a_defect_is_told_and_raised(made_up: Any) -> None:
    made_up(Blocks(less_in_parallel, before=interrupt(ZeroDivisionError("by nothing"))))
    experiment = running.make(claim(), ACTOR)
    with pytest.raises(ZeroDivisionError):
        measuring.run(experiment)
    experiment.refresh_from_db()
    assert experiment.state == State.FAILED
    assert "ZeroDivisionError: by nothing" in experiment.why


def test_one_at_a_time_runs() -> None:
    first, second = (running.make(claim(), ACTOR) for _ in range(2))
    lease = timezone.now() + timedelta(seconds=60)
    Experiment.objects.filter(pk=first.pk).update(state=State.RUNNING, lease_until=lease)
    with pytest.raises(measuring.Busy, match=f"experiment-{first.pk} runs"):
        measuring.run(second)
    second.refresh_from_db()
    assert second.state == State.QUEUED


def test_one_that_was_taken_for_dead_writes_nothing_any_more(made_up: Any) -> None:
    experiment = running.make(claim(), ACTOR)

    def late(number: int) -> None:
        if number == 2:
            assert running.expire(timezone.now() + timedelta(seconds=running.LEASE_S + 1)) == 1

    made_up(Blocks(less_in_parallel, before=late))
    ended = measuring.run(experiment)
    assert (ended.state, ended.verdict, ended.blocks.count()) == (State.INTERRUPTED, "", 2)


@pytest.mark.django_db(transaction=True)
def test_a_killed_runner_leaves_interrupted_and_no_node(services: Cluster) -> None:
    tiny = claim(workload={"items": 2, "chunk": 2, "washout": 0}, node={"latency_ms": 300})
    experiment = running.make(tiny, ACTOR)
    url = services.postgres.url_of(str(connection.settings_dict["NAME"]))
    runner = subprocess.Popen(
        [sys.executable, "manage.py", "experiment", "--run", str(experiment.pk)],
        cwd=ROOT,
        env=process_environment(services) | {"DATABASE_URL": url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(experiment.blocks.exists, within_s=60, what="a block is measured")
        nodes = psutil.Process(runner.pid).children()
    finally:
        os.kill(runner.pid, signal.SIGKILL)
        runner.wait()
    assert nodes
    wait_until(lambda: not any(map(psutil.Process.is_running, nodes)), within_s=20, what="ended")
    experiment.refresh_from_db()
    assert experiment.state == State.RUNNING
    assert running.expire(timezone.now()) == 0  # its lease still holds
    assert running.expire(timezone.now() + timedelta(seconds=running.LEASE_S + 1)) == 1
    experiment.refresh_from_db()
    assert (experiment.state, experiment.verdict) == (State.INTERRUPTED, "")


@pytest.mark.parametrize("ahead_min", [-10, 10])
def test_a_hosts_clock_ends_no_experiment_and_keeps_none_alive(
    ahead_min: int, made_up: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(minutes=ahead_min))
    experiment = running.make(claim(), ACTOR, seed=7)

    def look(number: int) -> None:
        assert running.expire() == 0
        (standing_of,) = (each for each in standing.of() if each.key == experiment.claim)
        assert standing_of.running == experiment
        assert turns.of_others(Rehearsal) == str(experiment)

    made_up(Blocks(less_in_parallel, before=look))
    done = measuring.run(experiment)
    assert done.state == State.DONE
    for at in (done.began_at, done.ended_at):
        assert at is not None
        assert abs(at - now) < timedelta(minutes=5)
    gone = {"state": State.RUNNING, "lease_until": now - timedelta(seconds=1)}
    Experiment.objects.filter(pk=done.pk).update(**gone)
    assert turns.of_others(Rehearsal) == ""
    assert running.expire() == 1


def test_beat_rings_for_what_waits_and_not_while_one_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[int] = []
    monkeypatch.setattr(tasks, "ring", rung.append)
    one, other = (running.make(claim(), ACTOR) for _ in range(2))
    tasks.look()
    assert not rung  # just made: whoever did begins it
    Experiment.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    tasks.look()
    assert rung == [one.pk]
    now = timezone.now()
    Experiment.objects.filter(pk=one.pk).update(
        state=State.RUNNING, lease_until=now + timedelta(seconds=60)
    )
    tasks.look()
    assert rung == [one.pk]
    Experiment.objects.filter(pk=one.pk).update(lease_until=now - timedelta(seconds=1))
    tasks.look()
    assert rung == [one.pk, other.pk]


def test_a_guard_that_is_not_measured_is_no_evidence(
    made_up: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up(Blocks(less_in_parallel))
    assert claims()["fetch-parallel"].guards
    assert asked("fetch-parallel", "--pairs", "8", "--seed", "7") == 1
    said = capsys.readouterr().out
    assert "measured   nothing: failed after 32 blocks" in said
    assert "cpu_us: no block measures it" in said
    assert "repeat     manage.py experiment fetch-parallel --pairs 8 --seed 7" in said


def test_json_has_all_raw_figures(made_up: Any, capsys: pytest.CaptureFixture[str]) -> None:
    made_up(Blocks(lambda chance, _arm: chance.lognormvariate(0, 0.01)))
    experiment = measuring.run(running.make(claim(), ACTOR, seed=3))
    assert asked("--show", str(experiment.pk), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "refuted"
    assert told["repeat"] == "manage.py experiment fetch-parallel --pairs 8 --seed 3"
    assert len(told["blocks"]) == 32
    assert asked("--show", str(experiment.pk)) == 0
    said = capsys.readouterr().out
    assert "claimed    -60.0% item_ms (001, 405-513: '60-70% faster validation')" in said
    assert "the claimed -60.0% is not reached here" in said


@pytest.mark.parametrize(
    ("treated", "said"),
    [(2.0, "is surpassed here"), (4.0, "may be true here"), (6.0, "is not reached here")],
)
def test_measured_is_held_against_what_is_claimed(
    treated: float, said: str, made_up: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def figure(chance: Random, arm: Arm) -> float:
        return chance.lognormvariate(0, 0.02) * (treated if arm.variant == "parallel" else 10.0)

    made_up(Blocks(figure))
    experiment = measuring.run(running.make(claim(), ACTOR, seed=3))
    assert asked("--show", str(experiment.pk)) == 0
    assert f"the claimed -60.0% {said}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fetch-paralel"], "Nothing is claimed of 'fetch-paralel'"),
        (["db.statement_timeout"], "cannot be measured here: No statement"),
        (["fetch-parallel", "--pairs", "3"], "--pairs must be from 8 to 200, not 3"),
        (["--show", "999"], "There is no experiment 999"),
        ([], "Name a claim"),
    ],
)
def test_what_it_cannot_do_it_says(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said) as refused:
        call_command("experiment", *arguments)
    assert refused.value.returncode == 2
    assert not Experiment.objects.filter(shipped=False).exists()


@pytest.mark.django_db(transaction=True)
def test_a_worker_child_begins_one_in_a_process_of_its_own_and_is_free(
    services: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {"lookups": 200, "warm": 200, "keys": 200, "entries": 20}
    experiment = running.make(claim("l1-lru", workload=small), ACTOR, seed=1)
    url = services.postgres.url_of(str(connection.settings_dict["NAME"]))
    for name, value in (process_environment(services) | {"DATABASE_URL": url}).items():
        monkeypatch.setenv(name, value)
    tasks.begin(experiment.pk)
    assert not experiment.blocks.exists()  # the child is back before anything is measured

    def ended() -> bool:
        experiment.refresh_from_db()
        return experiment.ended_at is not None

    wait_until(ended, within_s=60, what="it ends")
    assert (experiment.state, experiment.blocks.count()) == (State.DONE, 32)
