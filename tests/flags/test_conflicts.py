"""Two people at one flag at once, on a connection each: one wins, the other is told."""

import threading
from dataclasses import replace
from unittest.mock import patch

import pytest

from console.access.models import AuditEntry
from console.controls import Conflict
from console.controls.change import next_revision
from console.flags import acts, clock, guards, loading, plans
from console.flags.catalogue import CATALOGUE
from console.flags.errors import Blocked
from console.flags.models import Flag
from tests.controls.test_conflicts import at_once
from tests.flags.made import WHY, actor, flag, person
from tests.rehearsals.made_up import drilled

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "checkout.codec"
N = 6


def test_of_many_who_saw_the_same_one_wins() -> None:
    seen = flag().revision

    def act(stage: int) -> object:
        return acts.set_stage(actor(), KEY, stage=stage, reason=WHY, based_on=seen)

    came = at_once(*[lambda stage=stage: act(stage) for stage in range(1, N + 1)])
    lost = [one for one in came if isinstance(one, Conflict)]
    won = next(one for one in came if isinstance(one, Flag))
    there = Flag.objects.get(pk=KEY)
    assert (len(lost), there.stage, there.revision) == (N - 1, won.stage, seen + 1)
    assert AuditEntry.objects.filter(target=KEY, action="stage").count() == 1
    assert all(f"{won.stage} %" in str(one) for one in lost)


def test_two_flags_of_a_layer_cannot_both_slip_in_between() -> None:
    flag("one", layer="l1")
    flag("two", layer="l1")

    def between(key: str) -> object:
        try:
            return acts.set_stage(actor(), key, stage=25, reason=WHY)
        except Blocked as exc:
            return exc

    came = at_once(lambda: between("one"), lambda: between("two"))
    assert sorted(type(one).__name__ for one in came) == ["Blocked", "Flag"]
    assert Flag.objects.filter(stage=25).count() == 1


def test_a_release_that_is_brought_and_an_act_do_not_wait_for_each_other() -> None:
    """The act holds the revision and wants the flag; who brings a release wants both as well."""
    loading.load()
    drilled("rpc.retry", "backoff")
    anew = [replace(each, title=f"{each.title}, anew") for each in CATALOGUE]
    has_begun, may_go_on = threading.Event(), threading.Event()
    alter = guards.refuse_unstageable

    def slowly(one: Flag) -> None:
        has_begun.set()
        may_go_on.wait(5)
        alter(one)

    def bring() -> object:
        has_begun.wait(5)
        with patch.object(loading, "next_revision", side_effect=next_revision) as counted:
            threading.Timer(0.2, may_go_on.set).start()
            loading.load(anew)
        return counted.call_count

    def act() -> object:
        with patch.object(guards, "refuse_unstageable", slowly):
            return acts.set_stage(actor(), "rpc.retry", stage=25, target="backoff", reason=WHY)

    acted, brought = at_once(act, bring)
    assert isinstance(acted, Flag), acted
    assert brought == 1
    row = Flag.objects.get(pk="rpc.retry")
    assert (row.stage, row.revision, row.title[-6:]) == (25, acted.revision, ", anew")


def test_two_schedulers_at_once_do_each_step_once() -> None:
    flag(bake_s={})
    person()
    now = clock.now()
    plans.plan(actor(), KEY, [(now, 25)], reason=WHY)
    came = at_once(*[plans.run_due] * 3)
    assert sum(len(one) for one in came if isinstance(one, list)) == 1
    assert Flag.objects.get(pk=KEY).stage == 25
    assert plans.run_due() == []
    assert Flag.objects.get(pk=KEY).stage == 25
    assert AuditEntry.objects.filter(action="stage").count() == 1
