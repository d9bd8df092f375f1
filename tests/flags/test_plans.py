"""Stages that set themselves: at their times, once each, and never over somebody's own change."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import psycopg
import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import OperationalError, connection

from console.access.audit import Actor
from console.access.models import AuditEntry
from console.access.roles import Role
from console.celery import app
from console.controls import Conflict, Refused, RoleTooLow
from console.flags import acts, clock, freezing, plans, tasks
from console.flags.models import Flag, PlannedStage
from tests.flags.made import WHY, actor, flag, newest, person

pytestmark = pytest.mark.django_db
KEY = "checkout.codec"


@pytest.fixture(autouse=True)
def _ada(db: None) -> None:
    del db
    person()


BAKES = {"5": 600, "25": 600, "50": 600}


def after(seconds: float) -> datetime:
    return clock.now() + timedelta(seconds=seconds)


def baked(seconds: float = 10_000) -> None:
    """What so much time does to a flag, and to what was planned for it."""
    past = timedelta(seconds=seconds)
    for one in Flag.objects.all():
        Flag.objects.filter(pk=one.pk).update(staged_at=one.staged_at - past)
    for step in PlannedStage.objects.filter(state="waiting"):
        PlannedStage.objects.filter(pk=step.pk).update(at=step.at - past)


def stage() -> int:
    return Flag.objects.get(pk=KEY).stage


def states() -> list[tuple[int, str]]:
    return [(step.stage, str(step.state)) for step in PlannedStage.objects.order_by("id")]


def due(now: datetime | None = None) -> Sequence[int]:
    return [step.stage for step in plans.run_due(now)]


def test_through_bake_times_it_climbs_by_itself_to_the_end() -> None:
    flag(bake_s=BAKES)
    plans.plan(actor(), KEY, through=100, reason=WHY)
    steps = list(PlannedStage.objects.order_by("at"))
    gaps = [(b.at - a.at).total_seconds() for a, b in pairwise(steps)]
    assert ([step.stage for step in steps], gaps) == ([5, 25, 50, 100], [600.0] * 3)
    assert newest().action == "plan"
    assert [step["stage"] for step in newest().after["plan"]] == [5, 25, 50, 100]
    for expected in (5, 25, 50, 100):
        assert due() == [expected]
        assert stage() == expected
        assert due() == []
        entry = newest()
        assert (entry.actor, entry.role, entry.origin, entry.action, entry.reason) == (
            "ada", "operator", "plan", "stage", WHY,
        )  # fmt: skip
        baked(600)
    assert due() == []
    assert {state for _, state in states()} == {"done"}
    assert AuditEntry.objects.filter(target=KEY, action="stage").count() == 4


def test_what_comes_late_still_bakes_each_stage() -> None:
    """The scheduler was down: all is due at once, and none is skipped."""
    flag(bake_s=BAKES)
    plans.plan(actor(), KEY, through=50, reason=WHY)
    baked(10_000)
    assert due() == [5]
    assert due() == []
    assert states() == [(5, "done"), (25, "waiting"), (50, "waiting")]


def test_at_given_times_up_and_down() -> None:
    flag(bake_s={})
    plans.plan(actor(), KEY, [(after(60), 25), (after(120), 50), (after(180), 0)], reason=WHY)
    assert due() == []
    assert due(after(61)) == [25]
    assert due(after(181)) == [50, 0]
    assert stage() == 0


def test_a_change_of_somebody_else_ends_it() -> None:
    flag()
    plans.plan(actor(), KEY, [(after(60), 25), (after(120), 50)], reason=WHY)
    acts.set_stage(actor(name="bea"), KEY, stage=5, reason="Another try of it")
    assert states() == [(25, "lapsed"), (50, "lapsed")]
    assert PlannedStage.objects.filter(note="bea changed the flag: Another try of it").count() == 2
    assert due(after(1000)) == []
    assert stage() == 5


def test_a_change_behind_our_back_ends_it_too() -> None:
    flag()
    plans.plan(actor(), KEY, [(after(60), 25), (after(120), 50)], reason=WHY)
    Flag.objects.filter(pk=KEY).update(revision=10_000, actor="release", reason="Brought by it")
    assert due(after(1000)) == [25]
    assert states() == [(25, "lapsed"), (50, "lapsed")]
    assert stage() == 0


def test_who_may_no_longer_raise_it_does_not_by_a_plan_either() -> None:
    flag(bake_s={})
    for change in ({"is_active": False}, {"groups": "viewer"}):
        plans.plan(actor(), KEY, [(after(-30), 25), (after(60), 50)], reason=WHY)
        user = person()
        user.is_active = "is_active" not in change
        user.save()
        user.groups.set([Group.objects.get_or_create(name=change.get("groups", "operator"))[0]])
        assert due() == [25]
        assert stage() == 0
        refused, lapsed = PlannedStage.objects.order_by("-id")[:2][::-1]
        assert (refused.state, lapsed.state) == ("refused", "lapsed")
        assert ("ada, who planned it" in refused.note) or ("needs the role" in refused.note)
        assert lapsed.note.startswith("The step to 25 % was not done: ")
        User.objects.filter(pk=user.pk).update(is_active=True)
        user.groups.set([Group.objects.get(name="operator")])


def test_a_step_says_from_where_it_was_planned() -> None:
    flag(bake_s={})
    came = Actor(
        name="ada",
        role=Role.ADMIN,
        origin="api",
        token="ramps",
        source="192.0.2.7",
        trace_id="a" * 32,
    )
    plans.plan(came, KEY, [(after(-30), 25)], reason=WHY)
    assert due() == [25]
    entry = newest()
    assert (entry.token, entry.source, entry.trace_id) == ("ramps", "192.0.2.7", "a" * 32)
    # An admin then, an operator now.
    assert (entry.origin, entry.role) == ("plan", "operator")


def test_what_was_planned_at_a_terminal_needs_nobody_who_signs_in() -> None:
    flag(bake_s={})
    plans.plan(Actor.at_terminal("root@host"), KEY, [(after(-30), 25)], reason=WHY)
    assert due() == [25]
    assert stage() == 25


def test_a_flag_deleted_meanwhile_costs_the_others_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    flag(bake_s={})
    flag("another", bake_s={})
    plans.plan(actor(), KEY, [(after(-30), 25)], reason=WHY)
    plans.plan(actor(), "another", [(after(-20), 25)], reason=WHY)
    real = PlannedStage.refresh_from_db

    def gone(step: PlannedStage) -> None:
        if step.flag_id == KEY:
            Flag.objects.filter(pk=KEY).delete()
        real(step)

    monkeypatch.setattr(PlannedStage, "refresh_from_db", gone)
    assert due() == [25]
    assert Flag.objects.get(pk="another").stage == 25


def test_a_step_that_is_refused_says_why_and_ends_the_plan() -> None:
    flag()
    plans.plan(actor(), KEY, [(after(60), 25), (after(120), 50)], reason=WHY)
    freezing.freeze(actor(), KEY, after(3600), reason="The quarter ends on Friday")
    assert due(after(1000)) == [25]
    assert states() == [(25, "refused"), (50, "lapsed")]
    first, second = PlannedStage.objects.order_by("at")
    assert "frozen until" in first.note
    assert "quarter ends" in first.note
    assert second.note.startswith("The step to 25 % was not done: checkout.codec is frozen until")
    assert (stage(), due(after(2000))) == (0, [])


def test_a_plan_takes_the_place_of_another_and_is_cancelled() -> None:
    seen = flag().revision
    first = plans.plan(actor(), KEY, [(after(60), 25)], reason=WHY, based_on=seen)
    with pytest.raises(Conflict):
        plans.plan(actor(name="bea"), KEY, [(after(60), 50)], reason=WHY, based_on=seen)
    second = plans.plan(actor(), KEY, [(after(70), 5)], reason=WHY, based_on=first.revision)
    assert states() == [(25, "cancelled"), (5, "waiting")]
    plans.cancel(actor(), KEY, reason=WHY, based_on=second.revision)
    assert states() == [(25, "cancelled"), (5, "cancelled")]
    assert newest().after == {"plan": []}
    assert due(after(1000)) == []
    with pytest.raises(Refused, match="none waits"):
        plans.cancel(actor(), KEY, reason=WHY)


def test_what_cannot_be_planned() -> None:
    flag(bake_s=BAKES)
    now = clock.now()
    minute, hour = timedelta(minutes=1), timedelta(hours=1)
    wrong: list[tuple[list[tuple[datetime, int]], str]] = [
        ([(now - hour, 5)], "steps.at"),
        ([(now + hour, 5), (now + minute, 25)], "steps.at"),
        ([(now + timedelta(days=61), 5)], "within 60 days"),
        ([((now + hour).replace(tzinfo=None), 5)], "with its zone"),
        ([(now + hour, 101)], "whole percent"),
        ([(now + hour, 0)], "another stage"),
        ([(now + minute, 5), (now + 2 * minute, 25)], "5 % is to bake until then"),
        ([(now + minute * n, n % 2) for n in range(1, 22)], "at most 20"),
        ([], "steps"),
    ]
    for steps, says in wrong:
        with pytest.raises(Refused, match=says):
            plans.plan(actor(), KEY, steps, reason=WHY)
    with pytest.raises(Refused, match="through"):
        plans.plan(actor(), KEY, through=0, reason=WHY)
    with pytest.raises(RoleTooLow):
        plans.plan(actor("viewer"), KEY, through=100, reason=WHY)
    with pytest.raises(RoleTooLow):
        plans.cancel(actor("viewer"), KEY, reason=WHY)
    acts.disable(actor("admin"), KEY, reason=WHY)
    with pytest.raises(Refused, match="switch it on"):
        plans.plan(actor(), KEY, through=100, reason=WHY)
    assert not PlannedStage.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_schedulers_one_does_it_and_the_other_leaves_it() -> None:
    flag(bake_s={})
    plans.plan(actor(), KEY, [(after(-30), 25)], reason=WHY)
    with psycopg.connect(_dsn()) as other:
        other.execute("SELECT pg_try_advisory_xact_lock(%s)", (plans._LOCK,))
        assert due() == []
        assert stage() == 0
    assert due() == [25]
    assert due() == []
    assert AuditEntry.objects.filter(action="stage").count() == 1


def test_beat_asks_for_it_and_what_is_away_is_only_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app.loader.import_default_modules()
    asked = {row["task"] for row in app.conf.beat_schedule.values()}
    assert {"flags.run_plans", "flags.count"} <= asked <= set(app.tasks)
    flag(bake_s={})
    plans.plan(actor(), KEY, [(after(-30), 25)], reason=WHY)
    tasks.run_plans()
    assert stage() == 25
    tasks.count()

    def away(*_: object) -> None:
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(plans, "run_due", away)
    tasks.run_plans()


def _dsn() -> str:
    given = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    assert settings.DATABASES
    return psycopg.conninfo.make_conninfo(**{n: given[n] for n in names if given.get(n)})
