"""What people do to rollouts: begun, promoted, held, resumed, aborted; what is refused, and why."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now
from django.utils import timezone

from console.access.models import AuditEntry
from console.controls import ControlError, Refused, RoleTooLow
from console.experiments.models import Experiment
from console.flags import acts as flag_acts
from console.flags import freezing, plans
from console.flags.errors import Frozen
from console.flags.models import PlannedStage
from console.rehearsals.models import Rehearsal
from console.rehearsals.models import State as Drill
from console.rollouts import acts, beginning, controller, seen, telling
from console.rollouts.errors import NotNow, Stale, UnknownRollout
from console.rollouts.models import KIND, Rollout, State
from tests.flags.made import actor, flag
from tests.rehearsals.made_up import all_drilled, drilled
from tests.rollouts.bench import FLAG, TARGET, TERMINAL, WHY, Bench, at_baseline, started
from validation.models import Slot

pytestmark = pytest.mark.django_db


def begun(key: str = FLAG, target: str = TARGET, **given: Any) -> Rollout:
    """Without a drill made up for it."""
    return beginning.start(TERMINAL, key, target, **({"reason": WHY} | given))


def test_without_a_good_drill_one_comes_first_and_by_itself() -> None:
    at_baseline()
    row = begun()
    assert row.state == State.REHEARSING
    drill = Rehearsal.objects.get()
    assert (drill.flag, drill.target, drill.state) == (FLAG, TARGET, Drill.QUEUED)
    bench = Bench(row)
    assert bench.tick(2) == []
    Rehearsal.objects.all().delete()
    drilled(FLAG, TARGET)
    assert bench.tick(2) == ["rehearsed", "advance"]


def test_one_that_begins_where_an_operator_set_it_by_hand_needs_a_drill_too() -> None:
    at_baseline()
    flag_acts.set_stage(actor("admin"), FLAG, stage=1, target=TARGET, unrehearsed=True, reason=WHY)
    row = begun()
    assert (row.state, row.stage) == (State.REHEARSING, 1)
    Rehearsal.objects.update(state=Drill.NOT_RUN, why="There is no node to ask.")
    bench = Bench(row)
    assert bench.tick(2) == ["abort"]
    # As it was left by hand.
    assert bench.flag.stage == 1


@pytest.mark.parametrize(
    ("state", "held_for"),
    [
        ("rehearsing", ""), ("running", ""), ("held", "operator"), ("held", "missing"),
        ("held", "refused"), ("stopped", ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("what", ["promote", "hold", "resume", "abort"])
def test_what_is_offered_is_allowed_and_nothing_else(state: str, held_for: str, what: str) -> None:
    row = started()
    Rollout.objects.filter(pk=row.pk).update(state=state, held_for=held_for)
    found = seen.one(row.pk)
    assert found is not None
    act = getattr(acts, what)
    if what in found.acts:
        act(actor(), row.pk, reason=WHY)
    else:
        with pytest.raises(NotNow):
            act(actor(), row.pk, reason=WHY)


def test_a_drill_that_came_to_nothing_ends_it_before_anybody_has_the_variant() -> None:
    at_baseline()
    bench = Bench(begun())
    Rehearsal.objects.update(state=Drill.NOT_RUN, why="There is no node to ask.")
    assert bench.tick(2) == ["abort"]
    assert bench.flag.stage == 0
    assert "could not be run: There is no node to ask." in bench.row.why


def test_a_drill_that_was_interrupted_is_made_once_more() -> None:
    """Of whoever ran it being gone the variant knows nothing."""
    at_baseline()
    bench = Bench(begun())
    gone = {"state": Drill.INTERRUPTED, "why": "Whoever ran it is gone."}
    Rehearsal.objects.update(**gone)
    assert bench.tick(2) == []
    assert [one.state for one in Rehearsal.objects.order_by("pk")] == ["interrupted", "queued"]
    Rehearsal.objects.update(**gone)
    assert bench.tick(2) == ["abort"]
    assert bench.row.why == "Its drill was interrupted twice. Whoever ran it is gone."
    assert Rehearsal.objects.count() == 2


def test_a_drill_whose_runner_is_gone_unsaid_counts_as_interrupted() -> None:
    at_baseline()
    bench = Bench(begun())
    for number in (1, 2):
        long_ago = bench.now - timedelta(hours=1)
        Rehearsal.objects.filter(state=Drill.QUEUED).update(
            state=Drill.RUNNING, lease_until=long_ago
        )
        assert bench.tick(2) == ([] if number == 1 else ["abort"])
    assert bench.row.why.startswith("Its drill was interrupted twice.")


def test_a_drill_says_what_it_waits_for() -> None:
    at_baseline()
    bench = Bench(begun())
    mine = Rehearsal.objects.get()

    def said() -> str:
        assert bench.tick() == []
        return bench.row.why

    assert said().startswith("Its drill waits: no worker is up to begin it. Start one, or ")
    assert f"`manage.py rehearse --run {mine.pk}`" in said()
    living("worker", 1)
    assert said() == "Its drill waits to be begun by a worker."
    soon = timezone.now() + timedelta(minutes=5)
    experiment = Experiment.objects.create(
        state="running", lease_until=soon, claimed={}, pairs=1, seed=1
    )
    assert said().startswith(f"Its drill waits for {experiment}, which runs: ")
    experiment.delete()
    other = drilled("cache.codec", "zstd")
    Rehearsal.objects.filter(pk=other.pk).update(state=Drill.RUNNING, lease_until=soon)
    assert said().startswith(f"Its drill waits for {other}, which runs: ")
    other.delete()
    Rehearsal.objects.filter(pk=mine.pk).update(state=Drill.RUNNING, lease_until=soon)
    assert said() == f"Its drill runs: {TARGET} on and off again."


def test_a_change_of_one_way_is_refused() -> None:
    at_baseline()
    drilled(FLAG, TARGET, state=Drill.FAILED)
    with pytest.raises(NotNow, match="It cannot be taken back"):
        begun()


def test_the_way_to_the_baseline_needs_no_drill() -> None:
    flag_acts.roll_back(actor("admin"), "cache.kinds", reason=WHY)
    drilled("cache.kinds", "none")
    flag_acts.set_stage(actor("admin"), "cache.kinds", stage=100, target="none", reason=WHY)
    row = begun("cache.kinds", "tx")
    assert (row.state, row.rest) == (State.RUNNING, "none")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"stages": [50, 25]}, "stages: 25 is not"),
        ({"stages": []}, "stages: 0 is not"),
        ({"bake_s": 1}, "bake_s: 1 is not"),
        ({"guards": []}, "guards: 'none' is not"),
        ({"guards": [{"metric": "mood", "most": 1}]}, "guards.metric: 'mood' is not"),
        ({"guards": [{"metric": "mean_s", "most": -1}]}, "guards.most: -1 is not"),
        ({"gates": ["no-such"]}, "gates: 'no-such' is not a gate"),
        ({"gates": ["1.7.a"]}, "gates: '1.7.a' is not a gate that is measured here"),
        ({"least_units": 1}, "least_units: 1 is not"),
        ({"unit": "time_slot"}, "unit: 'time_slot' is not"),
        ({"target": "sequential"}, "target: 'sequential' is not another variant"),
    ],
)
def test_what_is_out_of_bounds_is_refused_by_name(given: dict[str, Any], said: str) -> None:
    at_baseline()
    target = given.pop("target", TARGET)
    with pytest.raises(Refused, match=said):
        begun(target=target, **given)
    assert not Rollout.objects.exists()


def test_a_viewer_starts_nothing() -> None:
    with pytest.raises(RoleTooLow):
        beginning.start(actor("viewer"), FLAG, TARGET, reason=WHY)


def test_a_flag_of_another_service_is_measured_by_nobody() -> None:
    flag(fleet="")
    with pytest.raises(NotNow, match="read by other services"):
        begun("checkout.codec", "new")


def test_items_and_requests_are_not_compared_with_each_other() -> None:
    """Of workers and web processes at once the mix alone would look like a change."""
    at_baseline("logging.requests")
    with pytest.raises(NotNow, match="read by workers and web processes: an item is not to be"):
        begun("logging.requests", "sampled")
    assert not Rollout.objects.exists()


def living(fleet: str, processes: int) -> None:
    for number in range(processes):
        Slot.objects.create(fleet=fleet, number=number, holder=f"{fleet}:{number}", seen_at=Now())


def test_a_stage_that_leaves_no_process_without_it_is_refused_before_anybody_has_it() -> None:
    at_baseline("web.compression")
    drilled("web.compression", "gzip")
    living("web", 1)
    said = r"5 % reaches 1 of 1 web process: nobody is left to compare with\. Set it by hand"
    with pytest.raises(NotNow, match=said):
        begun("web.compression", "gzip")
    assert not Rollout.objects.exists()
    # To all at once nobody is to be left: what is compared is nothing, and nothing is said of it.
    assert begun("web.compression", "gzip", stages=[100]).state == State.RUNNING


def test_a_later_stage_is_looked_at_too_and_items_are_never_all() -> None:
    at_baseline("cache.codec")
    at_baseline()
    living("worker", 2)
    with pytest.raises(NotNow, match="75 % reaches 2 of 2 worker processes"):
        begun("cache.codec", "zstd", stages=[50, 75, 100])
    assert begun("cache.codec", "zstd", stages=[50, 100]).is_active
    assert begun(unit="item").is_active


def test_one_at_a_time_of_a_flag_and_of_its_layer() -> None:
    started()
    with pytest.raises(NotNow, match="is under way already"):
        begun()
    with pytest.raises(NotNow, match=r"in the same layer \(rpc\)"):
        begun("rpc.keep_alive", "off")


def test_what_was_planned_ends_and_planning_ends_it() -> None:
    at_baseline()
    all_drilled()
    plans.plan(actor(), FLAG, through=100, reason=WHY)
    bench = Bench(started())
    assert {str(step.state) for step in PlannedStage.objects.all()} == {"lapsed"}
    bench.tick(2)
    plans.plan(actor(), FLAG, through=100, reason=WHY)
    assert bench.tick() == ["abort"]
    assert bench.flag.stage == 5


def test_it_cools_down_before_it_begins_again() -> None:
    row = started()
    Rollout.objects.filter(pk=row.pk).update(
        state=State.ROLLED_BACK, ended_at=row.created_at, why="A guard was passed."
    )
    with pytest.raises(NotNow, match=r"cools down until .* A guard was passed\."):
        begun()
    Rollout.objects.filter(pk=row.pk).update(ended_at=row.created_at - seen.COOL_DOWN)
    assert begun().is_active


def test_promoted_it_has_the_next_stage_at_once_and_the_bake_begins_anew() -> None:
    bench = Bench(started(stages=[5, 25, 100]))
    bench.tick(3)
    acts.promote(actor(), bench.pk, reason="I watched it myself")
    assert bench.flag.stage == 25
    assert bench.tick(3) == []
    acts.promote(actor(), bench.pk, reason="I watched it myself")
    assert (bench.flag.stage, bench.row.state) == (100, "done")
    with pytest.raises(NotNow, match="is over: done"):
        acts.abort(actor(), bench.pk, reason=WHY)


def test_a_freeze_refuses_who_promotes_and_not_who_aborts() -> None:
    bench = Bench(started())
    bench.tick(2)
    freezing.freeze(actor(), "", bench.now + timedelta(hours=1), reason=WHY)
    with pytest.raises(Frozen):
        acts.promote(actor(), bench.pk, reason="I watched it myself")
    acts.abort(actor(), bench.pk, reason="It makes node 2 slow")
    assert (bench.flag.stage, bench.row.state) == (0, "aborted")
    assert bench.tick(3) == []


def test_held_and_resumed() -> None:
    bench = Bench(started(stages=[5, 100], bake_s=12))
    bench.tick(2)
    acts.hold(actor(), bench.pk, reason="The node is being moved")
    assert bench.tick(15) == []
    with pytest.raises(NotNow, match="there is nothing to hold"):
        acts.hold(actor(), bench.pk, reason="The node is being moved")
    acts.resume(actor(), bench.pk, reason="The node was moved")
    # By Postgres' own clock, which the made up one is ahead of: it bakes from the next turn on.
    assert "done" in bench.tick(14)
    assert [one for one, _ in bench.log] == ["start", "advance", "hold", "resume", "done"]


def test_who_saw_another_revision_is_told_what_there_is() -> None:
    bench = Bench(started())
    with pytest.raises(Stale) as refused:
        acts.hold(actor(), bench.pk, reason="The node is being moved", revision=99)
    assert refused.value.revision == bench.row.revision
    with pytest.raises(UnknownRollout):
        acts.hold(actor(), 10_000, reason=WHY)


def test_what_is_shown_has_its_numbers_its_next_stage_and_its_acts() -> None:
    bench = Bench(started())
    bench.tick(14)
    found = seen.of(FLAG)
    assert found is not None
    assert (found.stage, found.next_stage, found.state) == (5, 25, "running")
    assert found.next_at is not None
    assert {one.metric for one in found.guards} == {"error_share", "mean_s", "p95_s"}
    assert all(one.held and one.treated_units >= 100 for one in found.guards)
    assert found.power.startswith("As noisy as it is, a window of 4 s finds in 19 of 20: ")
    assert found.acts == ("promote", "hold", "abort")
    assert [step.decision for step in found.log] == ["start", "advance"]


def test_the_trail_says_it_in_words() -> None:
    bench = Bench(started())
    bench.tick()
    entry = AuditEntry.objects.filter(kind=KIND, action="advance").get()
    told = telling.act_words(entry.before), telling.act_words(entry.after)
    assert told == (f"rollout {bench.pk} running at 0 %", f"rollout {bench.pk} running at 5 %")


def command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        call_command("rollout", *arguments)
    return int(str(ended.value.code))


def test_the_command_starts_shows_and_aborts(capsys: pytest.CaptureFixture[str]) -> None:
    at_baseline()
    drilled(FLAG, TARGET)
    assert command("start", FLAG, TARGET, "--stages", "10,100", "--guard", "mean_s=0.2",
                   "--reason", WHY, "--json") == 0  # fmt: skip
    told = json.loads(capsys.readouterr().out)
    assert (told["stages"], told["state"]) == ([10, 100], "running")
    assert command("list", "--json") == 0
    assert json.loads(capsys.readouterr().out)["id"] == told["id"]
    assert command("abort", str(told["id"]), "--reason", "It was only tried out") == 0
    assert command("show", str(told["id"])) == 1
    assert "It was only tried out" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [("start",), ("show",), ("show", "x"), ("show", "9999"), ("hold", "9999"),
     ("start", FLAG, TARGET, "--guard", "mean_s"), ("start", FLAG, TARGET, "--stages", "a"),
     ("resume", "all")],
)  # fmt: skip
def test_the_command_refuses_in_a_sentence(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("rollout", *arguments)
    assert refused.value.returncode == 2


def test_the_controller_has_nothing_to_do_without_rollouts() -> None:
    def never() -> None:
        raise AssertionError("nobody needs to be asked")

    assert controller.turn(never) == []
    assert issubclass(NotNow, ControlError)
