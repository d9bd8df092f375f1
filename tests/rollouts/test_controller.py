"""A rollout under way: raised on data, taken back on data, held where there is none."""

import re
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from console.access.models import AuditEntry
from console.controls.change import hold_revision
from console.flags import acts as flag_acts
from console.flags import freezing
from console.roadmap.gates.judged import Judged
from console.rollouts import acts, automation, controller, gating, seen
from console.rollouts.errors import NotNow
from console.rollouts.models import KIND, Automation, Rollout, RolloutStep, State
from tests.flags.made import actor, person
from tests.rollouts.bench import BAKE_S, BASELINE, FLAG, TARGET, WHY, Bench, started
from tests.rollouts.made_up import MadeUp
from validation.models import Slot

pytestmark = pytest.mark.django_db


def test_it_climbs_stage_by_stage_to_everybody_and_says_why() -> None:
    bench = Bench(started(stages=[5, 50, 100]))
    decided = bench.tick(2 * BAKE_S + 10)
    assert decided == ["advance", "advance", "done"]
    flag = bench.flag
    assert (flag.stage, flag.target, bench.row.state) == (100, TARGET, "done")
    assert bench.log == [("start", 0), ("advance", 5), ("advance", 50), ("done", 100)]
    last = RolloutStep.objects.filter(rollout_id=bench.pk).last()
    assert last is not None
    assert last.why.startswith(f"50 % held for {BAKE_S} s. error_share")
    assert {one["metric"] for one in last.numbers} == {"error_share", "mean_s", "p95_s"}
    assert last.flag_revision == flag.revision


def test_each_decision_is_in_the_trail_with_who_began_it() -> None:
    bench = Bench(started(stages=[5, 100]))
    bench.tick(BAKE_S + 5)
    told = AuditEntry.objects.filter(target=FLAG, kind=KIND).order_by("id")
    assert [entry.action for entry in told] == ["start", "advance", "done"]
    staged = AuditEntry.objects.filter(target=FLAG, kind="flags", origin="rollout").order_by("id")
    assert [entry.after["stage"] for entry in staged] == [5, 100]
    assert staged[1].reason.startswith(f"Rollout {bench.pk}: 5 % held for {BAKE_S} s.")


def test_a_stage_bakes_before_the_next() -> None:
    bench = Bench(started())
    bench.tick(BAKE_S - 2)
    assert bench.flag.stage == 5
    assert "bakes for" in bench.row.why


def test_thirty_percent_slower_is_taken_back_within_ten_seconds_of_the_data() -> None:
    bench = Bench(started(bake_s=60))
    bench.tick(20)
    bench.fleet.slow = 1.3
    assert bench.tick(9) == ["roll_back"]
    flag, row = bench.flag, bench.row
    assert (flag.stage, flag.rest) == (0, BASELINE)
    assert row.state == State.ROLLED_BACK
    assert "Two windows of 4 s in a row were bad. " in row.why
    assert "mean_s" in row.why
    assert seen.cooling_until(row) is not None


def test_failures_take_it_back() -> None:
    bench = Bench(started(bake_s=60, stages=[25, 100]))
    bench.tick(15)
    bench.fleet.failing = 0.1
    assert bench.tick(9) == ["roll_back"]
    assert re.search(r"error_share \d.* % against 0 %: \+[\d.]+ points, at least", bench.row.why)


def test_what_is_as_bad_for_all_takes_nothing_back() -> None:
    bench = Bench(started(bake_s=60))
    bench.tick(10)
    bench.fleet.mean_s *= 3
    bench.fleet.failing = bench.fleet.failing_else = 0.2
    assert bench.tick(30) == []
    assert bench.row.state == State.RUNNING


def test_nobody_can_be_heard_holds_at_once_and_takes_a_new_stage_back() -> None:
    bench = Bench(started(bake_s=60))
    bench.tick(10)
    bench.is_away = True
    assert bench.tick() == ["hold"]
    assert bench.row.held_for == "missing"
    assert bench.tick(12) == ["roll_back"]
    assert bench.flag.stage == 0
    assert bench.row.why.startswith("Three windows of 4 s told nothing, and 5 % is new.")


def test_a_stage_that_has_baked_is_held_for_as_long_as_nothing_is_told() -> None:
    bench = Bench(started(stages=[5, 100]))
    bench.tick(5)
    freezing.freeze(actor(), FLAG, bench.now + timedelta(hours=1), reason=WHY)
    assert bench.tick(BAKE_S) == ["hold"]
    assert "frozen until" in bench.row.why
    bench.is_away = True
    assert bench.tick(40) == ["hold"]
    bench.is_away = False
    assert bench.tick(10) == ["resume"]
    assert bench.flag.stage == 5


def test_a_gap_never_promotes() -> None:
    bench = Bench(started(stages=[5, 100]))
    bench.tick(10)
    assert bench.tick(seconds=BAKE_S * 3) == []
    assert f"Nobody looked for {BAKE_S * 3} s" in bench.row.why
    assert bench.tick(BAKE_S - 2) == []
    assert bench.tick(5) == ["done"]


def test_treated_who_fall_silent_are_missing() -> None:
    bench = Bench(started(bake_s=60, stages=[50, 100]))
    bench.tick(20)
    bench.fleet.rest, bench.fleet.target = BASELINE, "gone"
    decided = bench.tick(20)
    assert decided == ["hold", "roll_back"]
    assert f"0 units with {TARGET} were told" in bench.row.why


def test_treated_processes_that_are_gone_are_missing() -> None:
    key, target = "cache.codec", "zstd"
    row = started(key, target, bake_s=60, stages=[50, 100])
    bench = Bench(row, MadeUp(flag=key, target=target, rest=row.rest, treated_processes=0))
    assert bench.tick(7) == ["advance"]
    assert bench.tick(16) == ["hold", "roll_back"]
    assert f"None of 4 processes that tell what they do has {target}." in bench.row.why


def of_processes(stages: list[int], processes: int = 2, bake_s: int = 60) -> Bench:
    """The first of its processes gets the target."""
    key, target = "cache.codec", "zstd"
    row = started(key, target, bake_s=bake_s, stages=stages)
    fleet = MadeUp(flag=key, target=target, rest=row.rest, processes=processes, treated_processes=1)
    return Bench(row, fleet)


def test_a_fleet_that_shrinks_into_the_stage_is_held_and_not_taken_back() -> None:
    """Nothing is missing: nobody is left to compare with, until another process has started."""
    bench = of_processes([50, 100], bake_s=12)
    assert bench.tick(10) == ["advance"]
    bench.fleet.processes = 1
    assert bench.tick(120) == ["hold"]
    assert (bench.flag.stage, bench.row.held_for) == (50, "refused")
    assert "All of 1 that tell what they do have zstd: nobody is left" in bench.row.why
    bench.fleet.processes = 2
    assert bench.tick(2) == ["resume"]
    assert (bench.row.state, bench.flag.stage) == ("running", 50)


def test_a_stage_that_came_to_reach_all_waits_until_one_is_left_without() -> None:
    bench = of_processes([50, 100])
    Slot.objects.create(fleet="worker", number=0, holder="host:0", seen_at=Now())
    assert bench.tick(20) == ["hold"]
    assert (bench.flag.stage, bench.row.held_for) == (0, "refused")
    assert "50 % reaches 1 of 1 worker process: nobody is left to compare with" in bench.row.why
    with pytest.raises(NotNow, match="reaches 1 of 1 worker process"):
        acts.promote(actor(), bench.pk, reason=WHY)
    Slot.objects.create(fleet="worker", number=1, holder="host:1", seen_at=Now())
    assert bench.tick(2) == ["advance"]


def test_nobody_has_it_before_its_first_stage_and_nobody_is_missed() -> None:
    """By processes: whatever it waits for, its drill or a freeze, it begins when that ends."""
    key, target = "cache.codec", "zstd"
    row = started(key, target, bake_s=60, stages=[50, 100])
    bench = Bench(row, MadeUp(flag=key, target=target, rest=row.rest, treated_processes=0))
    freezing.freeze(actor(), key, bench.now + timedelta(hours=1), reason=WHY)
    assert bench.tick(38) == ["hold"]
    assert "frozen until" in bench.row.why
    freezing.thaw(actor(), key, reason=WHY)
    assert bench.tick(2)[:1] == ["advance"]


def test_a_treated_process_at_a_long_chunk_is_waited_for() -> None:
    """It tells of its work once the chunk is done; of what it has, each second."""
    key, target = "cache.codec", "zstd"
    row = started(key, target, bake_s=30, stages=[50, 100])
    fleet = MadeUp(flag=key, target=target, rest=row.rest, treated_processes=1, busy=frozenset({0}))
    bench = Bench(row, fleet)
    assert bench.tick(60) == ["advance"]
    assert (bench.row.state, bench.row.held_for) == ("running", "")
    # No chunk takes so long.
    assert bench.tick(55) == ["hold", "roll_back"]
    assert f"0 units with {target} were told for" in bench.row.why


def test_a_stage_fed_now_and_then_is_held_once_and_taken_back() -> None:
    bench = Bench(started(bake_s=60))
    bench.tick(10)
    decided = []
    for second in range(16):
        bench.is_away = second % 2 == 0
        decided += bench.tick()
    assert decided == ["hold", "roll_back"]


def test_a_stage_that_has_baked_and_is_fed_now_and_then_stays_held_until_a_window_is_whole() -> (
    None
):
    bench = Bench(started(bake_s=60))
    bench.tick(10)
    Rollout.objects.filter(pk=bench.pk).update(has_baked=True)
    decided = []
    for second in range(40):
        bench.is_away = second % 3 == 0
        decided += bench.tick()
    assert decided == ["hold"]
    bench.is_away = False
    assert bench.tick(5) == ["resume"]
    assert bench.row.missing_since is None


def test_one_leader_of_several_that_cannot_hear_takes_nothing_back() -> None:
    bench = Bench(started(bake_s=60))
    bench.tick(10)
    decided = []
    for _ in range(20):
        bench.leader, bench.is_away = "web:2", True
        decided += bench.tick(seconds=0.5)
        bench.leader, bench.is_away = "web:1", False
        decided += bench.tick(seconds=0.5)
    assert (decided, bench.row.missing_since) == ([], None)
    # Once the others are gone, or cannot hear either, it is their word.
    bench.leader, bench.is_away = "web:2", True
    assert bench.tick(3) == ["hold"]
    assert bench.tick(12) == ["roll_back"]


def test_where_none_of_several_leaders_can_hear_it_is_held_within_two_turns() -> None:
    bench = Bench(started(bake_s=60))
    bench.tick(10)
    bench.is_away = True

    def turns(times: int) -> list[str]:
        decided = []
        for number in range(times):
            bench.leader = f"web:{number % 3}"
            decided += bench.tick()
        return decided

    assert turns(2) == ["hold"]
    assert turns(13) == ["roll_back"]


def test_a_freeze_does_not_hold_up_taking_back() -> None:
    bench = Bench(started(bake_s=60))
    bench.tick(12)
    freezing.freeze(actor(), "", bench.now + timedelta(hours=1), reason=WHY)
    bench.fleet.slow = 2.0
    assert bench.tick(9) == ["roll_back"]
    assert bench.flag.stage == 0


def test_what_is_refused_no_more_goes_on() -> None:
    bench = Bench(started(stages=[5, 100]))
    bench.tick(2)
    freezing.freeze(actor(), FLAG, bench.now + timedelta(hours=1), reason=WHY)
    assert bench.tick(BAKE_S + 3) == ["hold"]
    freezing.thaw(actor(), FLAG, reason=WHY)
    assert bench.tick(2) == ["done"]


def test_an_operators_own_change_ends_it_and_stands() -> None:
    bench = Bench(started(bake_s=60))
    bench.tick(5)
    flag_acts.set_stage(actor(), FLAG, stage=10, reason="I want to see it on more")
    assert bench.tick() == ["abort"]
    assert bench.flag.stage == 10
    assert bench.row.why.startswith(f"ada changed {FLAG} (revision ")
    assert "I want to see it on more" in bench.row.why


def test_more_than_three_taken_back_stop_the_others_which_are_taken_back_all_the_same() -> None:
    keys = {"cache.kinds": "all", "cache.codec": "zstd", "breaker.use": "on", "memory.guard": "on"}
    over = [started(key, target, bake_s=600) for key, target in keys.items()]
    bench = Bench(started(bake_s=600, stages=[50, 100]))
    bench.tick(20)
    Rollout.objects.filter(pk=bench.pk).update(has_baked=True)
    bench.is_away = True
    assert bench.tick(14) == ["hold"]
    gone = Rollout.objects.filter(pk__in=[row.pk for row in over])
    assert {row.state for row in gone} == {State.ROLLED_BACK}
    assert "4 were taken back within 10 min" in automation.why_stopped()
    assert bench.row.state == State.STOPPED
    bench.is_away = False
    assert bench.tick(20) == []
    bench.fleet.slow = 1.5
    assert bench.tick(9) == ["roll_back"]
    assert bench.flag.stage == 0


def test_once_an_operator_has_looked_each_is_resumed_by_hand() -> None:
    bench = Bench(started(stages=[5, 100]))
    bench.tick(3)
    Automation.objects.create(stopped_at=bench.now, why="Rollouts are stopped: look.")
    assert bench.tick(BAKE_S + 5) == []
    assert bench.row.why == "Rollouts are stopped: look."
    automation.go_on(actor(), reason="The node was replaced meanwhile")
    assert bench.tick(3) == ["done"]
    assert automation.why_stopped() == ""


def test_who_may_no_longer_raise_a_stage_has_it_held() -> None:
    user = person()
    bench = Bench(started(actor=actor(), stages=[5, 100]))
    bench.tick(2)
    user.groups.clear()
    assert bench.tick(BAKE_S + 3) == ["hold"]
    assert "ada, who began it, may raise no stage any more" in bench.row.why


def test_held_by_an_operator_it_is_watched_all_the_same() -> None:
    bench = Bench(started(bake_s=BAKE_S))
    bench.tick(10)
    acts.hold(actor(), bench.pk, reason="The node is being moved now")
    assert bench.tick(BAKE_S * 2) == []
    bench.fleet.slow = 1.5
    assert bench.tick(9) == ["roll_back"]


def test_what_is_wrong_with_one_keeps_no_other_from_being_taken_back() -> None:
    ill = started("cache.codec", "zstd", bake_s=600)
    bench = Bench(started(bake_s=60))
    bench.tick(12)
    Rollout.objects.filter(pk=ill.pk).update(guards=[{"metric": "nope", "most": 0.1}])
    bench.fleet.slow = 1.5
    assert bench.tick(9) == ["roll_back"]
    why = Rollout.objects.get(pk=ill.pk).why
    assert why.startswith("It cannot be looked at: a defect, told in the log.")
    assert "nope" not in why


def test_gates_are_judged_before_any_lock_and_one_that_fails_to_be_is_no_data() -> None:
    bench = Bench(started())
    Rollout.objects.update(gates=["made-up"])
    held: list[bool] = []

    def ill() -> tuple[Judged, ...]:
        with connection.cursor() as cursor:
            mine = "pid = pg_backend_pid() AND locktype = 'advisory' AND objid = %s"
            cursor.execute(f"SELECT count(*) FROM pg_locks WHERE {mine}", [controller._LOCK])
            held.append(bool(cursor.fetchone()[0]))
        raise ValueError("a gate of another release")

    bench.gates = gating.Kept(ill, start=lambda work: work())
    assert bench.tick() == []
    # Once: the test's own transaction keeps it from then on.
    assert held == [False]
    assert "made-up is at no data" in bench.row.why
    assert "another release" not in bench.row.why


def test_gates_that_are_long_in_being_judged_hold_up_no_taking_back() -> None:
    bench = Bench(started(bake_s=60))
    bench.tick(12)
    Rollout.objects.update(gates=["made-up"])
    asked: list[object] = []
    bench.gates = gating.Kept(start=asked.append)
    bench.fleet.slow = 1.5
    assert bench.tick(9) == ["roll_back"]
    assert asked


def test_who_lets_one_go_takes_the_revisions_lock_first_as_an_operator_does() -> None:
    bench = Bench(started(bake_s=60))
    bench.tick(3)
    flag_acts.set_stage(actor(), FLAG, stage=10, reason="I want to see it on more")
    with CaptureQueriesContext(connection) as said:
        assert bench.tick() == ["abort"]
    told = [one["sql"] for one in said]
    locked = next(n for n, sql in enumerate(told) if "validation_controlrevision" in sql)
    written = next(n for n, sql in enumerate(told) if sql.startswith('UPDATE "rollouts_rollout"'))
    assert locked < written


def test_stopped_and_let_go_on_it_keeps_what_was_last_seen() -> None:
    bench = Bench(started(bake_s=600))
    bench.tick(14)
    numbers = bench.row.numbers
    assert numbers
    for number in range(4):
        Rollout.objects.create(
            flag=f"made.up{number}", target="new", rest="old", unit="item", fleet="worker",
            stages=[5, 100], bake_s=60, guards=[], least_units=100, flag_revision=1, reason=WHY,
            actor="ada", role="operator", state=State.ROLLED_BACK, ended_at=bench.now,
        )  # fmt: skip
    with transaction.atomic():
        hold_revision()
        assert automation.stop_if_due(actor(), bench.now)
    assert (bench.row.state, bench.row.numbers) == (State.STOPPED, numbers)
    automation.go_on(actor(), reason="The node was replaced meanwhile")
    assert (bench.row.state, bench.row.numbers) == (State.HELD, numbers)
