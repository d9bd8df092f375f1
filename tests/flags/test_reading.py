"""What is known of a flag: who has it, whom the next step reaches, what nobody can say."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from console.controls import UnknownFlag
from console.flags import acts, clock, evaluations, freezing, plans, reading
from console.flags.models import Flag
from monitoring import processes, valkey
from monitoring.processes import ProcessSnapshot
from monitoring.samples import Sample
from monitoring.snapshots import FlagReport
from tests.controls.conftest import (  # noqa: F401 - fixtures, found by name
    empty_cache,
    no_valkey,
    publish,
    worker,
)
from tests.flags.made import WHY, actor, flag
from validation.models import Slot
from validation.slots import rank

pytestmark = pytest.mark.django_db
KEY = "checkout.codec"
type Publish = Callable[..., None]


def live(workers: int, web: int = 0) -> None:
    for fleet, count in (("worker", workers), ("web", web)):
        for n in range(count):
            Slot.objects.create(fleet=fleet, number=n, holder=f"{fleet}:{n}", seen_at=Now())


def said(number: int, variant: str, **more: Any) -> FlagReport:
    return FlagReport(key=KEY, variant=variant, value=variant, reason="TARGETING_MATCH", **more)


def test_of_processes_it_says_how_many_have_it_and_whom_the_next_step_reaches() -> None:
    flag()
    live(8, web=2)
    seen = reading.flag(KEY)
    assert (seen.state, seen.reach.text) == ("baseline", "0 of 8 processes, 0 % of items")
    assert seen.next is not None
    assert (seen.next.percent, seen.next.text) == (5, "1 of 8 processes, 12 % of items")
    acts.set_stage(actor(), KEY, stage=25, reason=WHY)
    seen = reading.flag(KEY)
    assert (seen.state, seen.words) == ("partial", "new on 25 %, old else")
    assert seen.reach.text == "2 of 8 processes, 25 % of items"
    assert (seen.reach.treated, seen.reach.processes) == (2, 8)
    assert seen.next is not None
    assert seen.next.text == "4 of 8 processes, 50 % of items"
    acts.set_stage(actor(), KEY, stage=100, reason=WHY)
    assert (reading.flag(KEY).state, reading.flag(KEY).next) == ("everyone", None)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"unit": "item"}, "25 % of items"),
        ({"unit": "item", "fleet": ""}, "25 % of those who ask"),
        ({"unit": "time_slot", "slot_s": 30}, "25 % of the time, in slots of 30 s"),
        ({"unit": "process", "fleet": "web"}, "1 of 1 process"),
        ({"unit": "process", "fleet": "all"}, "2 of 5 processes"),
    ],
)
def test_of_other_units_and_fleets(fields: dict[str, Any], text: str) -> None:
    flag(**fields)
    live(4, web=1)
    acts.set_stage(actor(), KEY, stage=25, reason=WHY)
    assert reading.flag(KEY).reach.text == text


def test_each_worker_is_told_beside_what_it_should_have(publish: Publish) -> None:  # noqa: F811
    flag()
    live(4)
    done = acts.set_stage(actor(), KEY, stage=25, reason=WHY)
    first = next(n for n in range(4) if rank(KEY, n, range(4)) == 0)
    for n in range(3):
        variant = "new" if n == first else "old"
        report = said(n, variant, evaluations={variant: 3}, in_force=variant)
        publish(worker(n, slot=n, acknowledged=done.revision - (n == 2), flags=(report,)))
    publish(worker(3, slot=3, acknowledged=done.revision))
    seen = reading.flag(KEY)
    rows = {row.slot: row for row in seen.workers}
    assert [rows[n].expected for n in range(4)] == [
        "new" if n == first else "old" for n in range(4)
    ]
    assert (seen.acknowledged, seen.heard, seen.reachable) == (3, 4, True)
    assert [rows[n].acknowledged for n in range(4)] == [True, True, False, True]
    assert (rows[3].variant, rows[3].agrees) == (None, None)
    assert sum(seen.by_variant.values()) == 3
    assert all(rows[n].agrees for n in range(3))
    publish(worker(first, slot=first, flags=(said(first, "old"),)))
    assert [row.agrees for row in reading.flag(KEY).workers if row.slot == first] == [False]


def test_without_the_cache_server_nobody_is_known(no_valkey: None) -> None:  # noqa: F811
    flag()
    seen = reading.flag(KEY)
    assert (seen.reachable, seen.acknowledged, seen.heard) == (False, None, None)
    assert (seen.workers, seen.per_minute, seen.rate_age_s) == ((), None, None)
    assert seen.reach.text == "0 % of processes, rounded up; none is known to live"


def test_what_holds_it_and_what_it_holds_back() -> None:
    flag("base.codec")
    flag(requires=[{"flag": "base.codec", "variant": "new"}])
    acts.set_stage(actor(), "base.codec", stage=100, reason=WHY)
    acts.set_stage(actor(), KEY, stage=50, reason=WHY)
    going = reading.preview("base.codec", stage=50)
    assert (going.holds_back, going.raises, going.why_not) == ((KEY,), False, "")
    acts.set_stage(actor(), "base.codec", stage=50, reason=WHY)
    seen, base = reading.flag(KEY), reading.flag("base.codec")
    assert (seen.state, seen.held, seen.stage, seen.effective_stage) == ("held", True, 50, 0)
    (need,) = seen.requires
    assert (need.flag, need.variant, need.met) == ("base.codec", "new", False)
    assert need.now_is == "new on 50 %, old else"
    assert base.holds_back == (KEY,)
    assert "requires base.codec" in reading.preview(KEY, stage=75).why_not


def test_frost_plan_baking_and_history() -> None:
    flag(bake_s={"5": 600})
    acts.set_stage(actor(), KEY, stage=5, reason=WHY)
    plans.plan(actor(), KEY, through=100, reason=WHY)
    now = clock.now()
    freezing.freeze(actor(), KEY, now + timedelta(hours=1), reason=WHY)
    freezing.freeze(actor(), "", now + timedelta(hours=2), reason="All of them rest now")
    Flag.objects.filter(pk=KEY).update(staged_at=now - timedelta(seconds=100))
    seen = reading.flag(KEY)
    assert seen.frost is not None
    assert (seen.frost.of_all, seen.frost.reason) == (True, "All of them rest now")
    assert [(step.stage, step.state) for step in seen.plan] == [
        (25, "waiting"), (50, "waiting"), (100, "waiting"),
    ]  # fmt: skip
    assert seen.baked_s == pytest.approx(100, abs=5)
    assert (seen.to_bake_s, seen.is_baked) == (600, False)
    assert [entry.action for entry in seen.history] == ["freeze", "plan", "stage", "create"]
    planned = reading.preview(KEY, stage=25)
    assert (planned.ends_steps, planned.to_bake_s, planned.raises) == (3, 600, True)
    assert "frozen" in planned.why_not
    assert (planned.now_is, planned.would_be) == ("new on 5 %, old else", "new on 25 %, old else")
    assert planned.revision == seen.revision
    acts.roll_back(actor(), KEY, reason=WHY)
    assert [step.state for step in reading.flag(KEY).plan] == ["lapsed"] * 3


def test_the_list_asks_the_same_few_questions_for_any_number_of_flags() -> None:
    flag()
    with _counted() as few:
        reading.flags()
    for n in range(5):
        flag(f"more.{n}")
    with _counted() as many:
        listed = reading.flags()
    assert len(many) == len(few)
    assert all(one.history == () for one in listed)
    assert listed == sorted(listed, key=lambda one: one.key)


def test_the_baseline_comes_first_and_others_in_the_order_of_the_release() -> None:
    flag(baseline="old")
    assert list(reading.flag(KEY).variants) == ["old", "new", "newer"]
    with pytest.raises(UnknownFlag):
        reading.flag("nope")
    with pytest.raises(UnknownFlag):
        reading.preview("nope", stage=5)


def test_evaluations_a_minute_are_the_difference_of_two_readings() -> None:
    flag()
    assert reading.flag(KEY).per_minute is None
    _count("host:1", 1, new=100.0, old=40.0)
    assert evaluations.take()
    assert not evaluations.take()  # of two schedulers, one
    assert reading.flag(KEY).per_minute is None
    _pass(30)
    _count("host:1", 2, new=160.0, old=40.0)
    _count("host:2", 1, new=30.0)
    valkey.client().delete(evaluations._TAKEN)
    assert evaluations.take()
    seen = reading.flag(KEY)
    assert seen.per_minute is not None
    assert seen.per_minute["new"] == pytest.approx(180, rel=0.1)
    assert seen.per_minute["old"] == 0
    assert seen.rate_over_s == pytest.approx(30, rel=0.1)
    assert seen.rate_age_s == pytest.approx(0, abs=5)
    _pass(60)
    assert reading.flag(KEY).per_minute is None


def _count(process: str, sequence: int, **counts: float) -> None:
    samples = tuple(
        Sample(evaluations.COUNTER, {"flag": KEY, "variant": variant}, count)
        for variant, count in counts.items()
    )
    told = ProcessSnapshot(incarnation=process, kind="worker", sequence=sequence, counters=samples)
    processes.publish(told)


def _pass(seconds: float) -> None:
    """What so much time does to the readings that are kept."""
    client = valkey.client()
    kept = client.lrange(evaluations._READINGS, 0, -1)
    for n, body in enumerate(kept):
        reading_ = msgspec.json.decode(body, type=evaluations.Reading)
        older = msgspec.structs.replace(reading_, at=reading_.at - seconds)
        client.lset(evaluations._READINGS, n, msgspec.json.encode(older))


def _counted() -> Any:
    return CaptureQueriesContext(connection)
