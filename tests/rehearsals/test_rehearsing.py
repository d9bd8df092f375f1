"""A drill's life: one at a time of all that measures, kept whatever comes, told as it is."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from console.access.audit import Actor
from console.access.models import AuditEntry
from console.access.roles import Role
from console.controls.errors import Refused, RoleTooLow
from console.experiments import measuring, writing
from console.experiments import running as experiments
from console.experiments.models import Experiment
from console.flags.acts import roll_back
from console.flags.catalogue import BY_KEY
from console.pages import history
from console.rehearsals import rehearsing, running, standing, tasks, telling, ways
from console.rehearsals.drilling import Entries
from console.rehearsals.load import Answer
from console.rehearsals.models import Rehearsal, State
from console.rehearsals.possible import NotRehearsable
from tests.controls.test_command import run
from tests.experiments.made_up import claim
from tests.experiments.test_writing import end_the_connection
from tests.rehearsals.made_up import ACTOR
from tests.rehearsals.test_drilling import Part, echo

pytestmark = pytest.mark.django_db

# Needs no node and no cache server.
FLAG, TARGET = "web.compression", "brotli"


def asked(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        call_command("rehearse", *arguments)
    return int(str(ended.value.code))


def test_what_was_measured_is_kept_with_its_surroundings() -> None:
    done = rehearsing.run(running.make(FLAG, TARGET, ACTOR), units=10)
    assert (done.state, done.lease_until) == (State.PASSED, None)
    assert done.found["target_told"] == "br, gzip from 1024 bytes"
    assert done.code_revision
    assert done.machine["processors"] >= 1
    entry = AuditEntry.objects.get(action="rehearse", target=FLAG)
    assert history.entries([entry])[0].after == f"drill {done.pk} of brotli"


def test_one_that_waits_is_not_asked_for_twice() -> None:
    first = running.make(FLAG, TARGET, ACTOR)
    assert running.make(FLAG, TARGET, ACTOR) == first
    assert running.make(FLAG, "gzip", ACTOR) != first
    assert AuditEntry.objects.filter(action="rehearse").count() == 2


@pytest.mark.parametrize(
    ("flag", "target", "error", "said"),
    [
        ("", "gzip", Refused, "the key of a flag"),
        ("cache.codec", "lz4", Refused, "one of none, gzip, brotli"),
        ("cache.codec", "base64", Refused, "than its baseline base64"),
        ("db.pool_formula", "cpu2_4", NotRehearsable, "would take the connections"),
        ("db.replica_routing", "weighted", NotRehearsable, "no replicas of its own"),
        ("shop.banner", "on", NotRehearsable, "no part of it reads the flag"),
    ],
)
def test_what_cannot_be_rehearsed_says_why(
    flag: str, target: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        running.make(flag, target, ACTOR)
    assert not Rehearsal.objects.exists()
    assert not AuditEntry.objects.filter(action="rehearse").exists()


def test_a_viewer_asks_for_none() -> None:
    viewer = Actor(name="eve", role=Role.VIEWER, origin="api")
    with pytest.raises(RoleTooLow):
        running.make(FLAG, TARGET, viewer)


def lease() -> dict[str, Any]:
    return {"state": State.RUNNING, "lease_until": timezone.now() + timedelta(seconds=60)}


def test_what_a_dead_runner_left_is_in_nobodys_way() -> None:
    left = running.make(FLAG, TARGET, ACTOR)
    gone = {"state": State.RUNNING, "lease_until": timezone.now() - timedelta(seconds=1)}
    Rehearsal.objects.filter(pk=left.pk).update(**gone)
    assert standing.waiting(FLAG, TARGET) is None
    assert standing.waiting_of(FLAG) == {}
    assert rehearsing.run_now(FLAG, TARGET, ACTOR).state == State.PASSED
    left.refresh_from_db()
    assert left.state == State.INTERRUPTED


@pytest.mark.parametrize("ahead_min", [-10, 10])
def test_a_hosts_clock_ends_no_drill_and_keeps_none_alive(
    ahead_min: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[int] = []
    monkeypatch.setattr(tasks, "ring", rung.append)
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(minutes=ahead_min))
    seen: list[Rehearsal] = []

    @contextmanager
    def rig(*_: str) -> Iterator[Part]:
        assert running.expire() == 0
        waiting = standing.waiting(FLAG, TARGET)
        assert waiting is not None
        seen.append(waiting)
        yield part()

    monkeypatch.setattr(ways, "rig", rig)
    done = rehearsing.run(running.make(FLAG, TARGET, ACTOR), units=10)
    assert done.state == State.PASSED
    (ran,) = seen
    for at in (ran.began_at, done.ended_at):
        assert at is not None
        assert abs(at - now) < timedelta(minutes=5)
    # One that is gone is gone, and what was just made is not overdue.
    gone = {"state": State.RUNNING, "lease_until": now - timedelta(seconds=1)}
    Rehearsal.objects.filter(pk=done.pk).update(**gone)
    made = running.make(FLAG, "gzip", ACTOR)
    tasks.look()
    assert not rung
    done.refresh_from_db()
    assert done.state == State.INTERRUPTED
    Rehearsal.objects.filter(pk=made.pk).update(created_at=now - timedelta(minutes=1))
    tasks.look()
    assert rung == [made.pk]


def test_two_drills_do_not_measure_each_other() -> None:
    first, second = running.make(FLAG, TARGET, ACTOR), running.make(FLAG, "gzip", ACTOR)
    Rehearsal.objects.filter(pk=first.pk).update(**lease())
    with pytest.raises(rehearsing.Busy, match=f"drill-{first.pk} runs"):
        rehearsing.run(second)
    second.refresh_from_db()
    assert second.state == State.QUEUED


def test_a_drill_and_an_experiment_do_not_measure_each_other() -> None:
    drill, experiment = running.make(FLAG, TARGET, ACTOR), experiments.make(claim(), ACTOR)
    Experiment.objects.filter(pk=experiment.pk).update(**lease())
    with pytest.raises(rehearsing.Busy, match=f"experiment-{experiment.pk} runs"):
        rehearsing.run(drill)
    Experiment.objects.filter(pk=experiment.pk).update(state="queued", lease_until=None)
    Rehearsal.objects.filter(pk=drill.pk).update(**lease())
    with pytest.raises(measuring.Busy, match=f"drill-{drill.pk} runs"):
        measuring.run(experiment)
    # Whoever is dead has no turn.
    Rehearsal.objects.filter(pk=drill.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert running.expire() == 1
    drill.refresh_from_db()
    assert (drill.state, drill.lease_until) == (State.INTERRUPTED, None)


def ending_with(error: BaseException) -> Any:
    def rig(*_: str) -> Any:
        raise error

    return rig


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (KeyboardInterrupt(), State.INTERRUPTED),
        (rehearsing.Terminated(), State.INTERRUPTED),
        (TimeoutError("no answer"), State.NOT_RUN),
    ],
)
def test_what_ends_it_early_is_no_verdict(
    error: BaseException, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ways, "rig", ending_with(error))
    done = rehearsing.run(running.make(FLAG, TARGET, ACTOR))
    assert (done.state, done.found) == (state, {})
    assert done.why


def rigs(monkeypatch: pytest.MonkeyPatch, *each: Part | BaseException) -> None:
    """Of one drill after the other."""
    left = iter(each)

    @contextmanager
    def rig(*_: str) -> Iterator[Part]:
        one = next(left)
        if isinstance(one, BaseException):
            raise one
        yield one

    monkeypatch.setattr(ways, "rig", rig)


def part(*, loses: bool = False) -> Part:
    def ask(variant: str, units: Sequence[str]) -> list[Answer]:
        answers = echo(variant, units)
        return answers[1:] if loses and variant == TARGET else answers

    return Part(ask_with=ask, now=BY_KEY[FLAG].baseline)


@pytest.mark.parametrize(
    ("then", "state", "said"),
    [
        (part(loses=True), State.FAILED, "With the target, or on the way back, "),
        (part(), State.NOT_RUN, "Failed once, passed once: With the target, "),
        (TimeoutError("no node"), State.NOT_RUN, "Could not be run to its end again: no node"),
        (rehearsing.Terminated(), State.INTERRUPTED, "again: Its process was told to end."),
    ],
)
def test_what_fails_is_drilled_once_more(
    then: Part | BaseException, state: State, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rigs(monkeypatch, part(loses=True), then)
    done = rehearsing.run(running.make(FLAG, TARGET, ACTOR), units=10)
    assert (done.state, done.lease_until) == (state, None)
    assert said in done.why
    # What was found against it is kept and said, whatever came then.
    assert done.found["during"]["lost"] > 0
    assert "units had no right result" in done.why
    verdict = "failed" if state == State.FAILED else "no verdict"
    assert f"  verdict    {verdict}. " in telling.as_words(done)
    assert f" {verdict} " in telling.line(done)


def test_at_a_terminal_what_failed_once_is_said_to_be_that(monkeypatch: pytest.MonkeyPatch) -> None:
    roll_back(ACTOR, FLAG, reason="So that nobody has it")
    rigs(monkeypatch, part(loses=True), part())
    status, said = run(FLAG, TARGET, "--stage", "5", command="flag")
    row = Rehearsal.objects.get()
    assert status == 2
    assert f"{row} of {FLAG} came to no verdict: Failed once, passed once: With the" in said
    assert f"rehearse it anew: manage.py rehearse {FLAG} --target {TARGET}." in said
    # It says that something is wrong: no way past it is offered.
    assert "--unrehearsed" not in said
    assert "could not be run" not in said


def test_a_second_drill_has_as_much_time_as_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[datetime | None] = []

    @contextmanager
    def rig(*_: str) -> Iterator[Part]:
        left.append(Rehearsal.objects.get().lease_until)
        Rehearsal.objects.update(lease_until=timezone.now() + timedelta(seconds=1))
        yield part(loses=True)

    monkeypatch.setattr(ways, "rig", rig)
    rehearsing.run(running.make(FLAG, TARGET, ACTOR), units=10)
    first, second = left
    assert first is not None
    assert second is not None
    assert second >= first


@dataclass
class Slow(Part):
    """Its lease is almost over whenever it has changed."""

    left: list[datetime | None] = field(default_factory=list)
    is_dead: bool = False

    def switch(self, variant: str) -> None:
        super().switch(variant)
        Rehearsal.objects.update(lease_until=timezone.now() + timedelta(seconds=1))
        if self.is_dead:
            running.expire(timezone.now() + timedelta(seconds=2))

    def read(self, variant: str, said: Mapping[str, str]) -> Entries | None:
        self.left.append(Rehearsal.objects.get().lease_until)
        return super().read(variant, said)


def test_a_drill_that_takes_long_has_its_lease_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(now=BY_KEY[FLAG].baseline)
    rigs(monkeypatch, slow)
    done = rehearsing.run(running.make(FLAG, TARGET, ACTOR), units=10)
    assert done.state == State.PASSED
    soon = timezone.now() + timedelta(seconds=running.LEASE_S / 2)
    assert [until is not None and until > soon for until in slow.left] == [True, True]


def test_one_that_was_taken_for_dead_goes_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    dead = Slow(now=BY_KEY[FLAG].baseline, is_dead=True)
    rigs(monkeypatch, dead)
    done = rehearsing.run(running.make(FLAG, TARGET, ACTOR), units=10)
    assert (done.state, done.found) == (State.INTERRUPTED, {})
    assert dead.log == [f"switch to {TARGET}"]


def test_one_that_was_taken_for_dead_is_not_drilled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def rig(*_: str) -> Iterator[Part]:
        yield part(loses=True)
        assert running.expire(timezone.now() + timedelta(seconds=running.LEASE_S + 1)) == 1

    monkeypatch.setattr(ways, "rig", rig)
    done = rehearsing.run(running.make(FLAG, TARGET, ACTOR), units=10)
    assert (done.state, done.found) == (State.INTERRUPTED, {})


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("loses", [False, True])
def test_a_verdict_outlives_a_restart_of_postgres(
    loses: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "_PAUSE_S", 0)

    @contextmanager
    def rig(*_: str) -> Iterator[Part]:
        yield part(loses=loses)
        end_the_connection()

    monkeypatch.setattr(ways, "rig", rig)
    done = rehearsing.run(running.make(FLAG, TARGET, ACTOR), units=10)
    assert done.state == (State.FAILED if loses else State.PASSED)
    assert done.found


def test_a_defect_is_told_and_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "rig", ending_with(ZeroDivisionError("by nothing")))
    made = running.make(FLAG, TARGET, ACTOR)
    with pytest.raises(ZeroDivisionError):
        rehearsing.run(made)
    made.refresh_from_db()
    assert made.state == State.NOT_RUN
    assert "ZeroDivisionError: by nothing" in made.why


def test_beat_rings_for_what_waits_and_not_while_something_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rung: list[int] = []
    monkeypatch.setattr(tasks, "ring", rung.append)
    drill, experiment = running.make(FLAG, TARGET, ACTOR), experiments.make(claim(), ACTOR)
    tasks.look()
    assert not rung  # just made: whoever did begins it
    Rehearsal.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    Experiment.objects.filter(pk=experiment.pk).update(**lease())
    tasks.look()
    assert not rung
    Experiment.objects.filter(pk=experiment.pk).update(state="queued", lease_until=None)
    tasks.look()
    assert rung == [drill.pk]


def test_the_command_measures_tells_and_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert asked("exports.streaming") == 0
    said = capsys.readouterr().out
    assert "exports.streaming: buffered → streamed → buffered" in said
    assert "  verdict    passed. In force after" in said
    row = Rehearsal.objects.get()
    assert asked("--show", str(row.pk), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["drill"], told["passed"]) == (row.pk, True)
    assert asked("--list") == 0
    assert "exports.streaming buffered → streamed" in capsys.readouterr().out
    assert asked("--flags") == 0
    assert "db.pool_formula cannot be rehearsed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("state", "status"), [(State.FAILED, 1), (State.NOT_RUN, 2), (State.INTERRUPTED, 130)]
)
def test_the_command_ends_as_the_drill_did(state: State, status: int) -> None:
    made = running.make(FLAG, TARGET, ACTOR)
    Rehearsal.objects.filter(pk=made.pk).update(state=state, why="so it was")
    assert asked("--show", str(made.pk)) == status


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name a flag"),
        (["cache.codex"], "is no flag of this release"),
        (["cache.codec", "--target", "lz4"], "target: 'lz4' is not one of"),
        (["db.pool_formula"], "cannot be rehearsed"),
        (["--show", "999"], "There is no drill 999"),
    ],
)
def test_what_the_command_cannot_do_it_says(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said) as refused:
        call_command("rehearse", *arguments)
    assert refused.value.returncode == 2
    assert not Rehearsal.objects.exists()


def test_a_command_that_finds_another_at_work_leaves_none_behind() -> None:
    other = running.make(FLAG, "gzip", ACTOR)
    Rehearsal.objects.filter(pk=other.pk).update(**lease())
    with pytest.raises(CommandError, match="two at a time would measure each other") as refused:
        call_command("rehearse", FLAG, "--target", TARGET)
    assert refused.value.returncode == 2
    assert not Rehearsal.objects.filter(state=State.QUEUED).exists()
