"""What counters say of tasks and known events over a window: shares, waits, and when not to say."""

from collections.abc import Iterator
from typing import Any

import pytest

from console.celery import app
from monitoring import canary, celery_counts, valkey
from monitoring.collectors.tasks import TasksCollector, TasksSample
from monitoring.instruments import CANARIES, TASKS
from monitoring.processes import ProcessSnapshot
from monitoring.samples import Sample
from monitoring.totals import Reading


def reading(live: int = 2, **counts: float) -> Reading:
    names = {
        "heard": ("queue_wait_seconds_count", {}),
        "waited": ("queue_wait_seconds_sum", {}),
        "quick": ("queue_wait_seconds_bucket", {"le": "0.1"}),
        "slow": ("queue_wait_seconds_bucket", {"le": "2.5"}),
        "every": ("queue_wait_seconds_bucket", {"le": "+Inf"}),
        "ok": ("tasks_total", {"task": "validation.drain", "outcome": "ok"}),
        "failed": ("tasks_total", {"task": "access.check_audit", "outcome": "failed"}),
        "again": ("tasks_total", {"task": "validation.drain", "outcome": "again"}),
        "canaries": ("canaries_total", {}),
    }
    samples = [
        Sample(f"switchyard_{names[name][0]}", dict(names[name][1]), value)
        for name, value in counts.items()
    ]
    alive = tuple(
        ProcessSnapshot(incarnation=f"h:{n}:1", kind="web", sequence=1) for n in range(live)
    )
    return Reading(counters=tuple(samples), live=alive, lost={}, sources={})


class World:
    def __init__(self) -> None:
        self.now = 0.0
        self.collector = TasksCollector(clock=lambda: self.now)

    def at(self, now: float, truth: int, **counts: Any) -> TasksSample | None:
        self.now = now
        return self.collector.collect(reading(**counts), truth)


@pytest.fixture
def world() -> World:
    return World()


def test_the_first_look_says_nothing_and_the_next_the_difference(world: World) -> None:
    assert world.at(0, 1_000, heard=10, waited=5.0, ok=90, canaries=500) is None
    found = world.at(60, 1_120, heard=30, waited=9.0, ok=150, failed=2, again=1, canaries=620)
    assert found is not None
    assert (found.window_s, found.heard, found.wait_mean_s) == (60.0, 20, 0.2)
    assert (found.done, found.failed, found.again, found.retried) == (60, 2, 1, 0)
    assert (found.canaries, found.seen) == (120, 1.0)


def test_the_p95_is_the_bound_of_its_bucket_and_none_beyond_the_last(world: World) -> None:
    world.at(0, 0, heard=0, quick=0, slow=0, every=0)
    for quick, slow, said in ((19, 20, 0.1), (18, 19, 2.5), (18, 18, None)):
        found = world.at(60, 0, heard=20, quick=quick, slow=slow, every=20)
        assert found is not None
        assert found.wait_p95_s == said


def test_no_wake_up_is_no_wait_of_nothing(world: World) -> None:
    world.at(0, 0, ok=1)
    found = world.at(60, 0, ok=2)
    assert found is not None
    assert (found.wait_mean_s, found.wait_p95_s) == (None, None)


@pytest.mark.parametrize(
    ("counted", "seen"),
    [(200, 1.0), (193, 1.0), (207, 1.0), (150, 0.75), (0, 0.0), (400, 2.0)],
    ids=["all", "some on their way", "some come late", "a quarter lost", "blind", "twice"],
)
def test_the_share_of_known_events_that_was_seen(world: World, counted: int, seen: float) -> None:
    world.at(0, 1_000, canaries=5_000)
    found = world.at(100, 1_200, canaries=5_000 + counted)
    assert found is not None
    assert found.seen == seen


def test_of_too_few_events_no_share_is_said(world: World) -> None:
    world.at(0, 0, canaries=0)
    found = world.at(5, 10, canaries=2)
    assert found is not None
    assert found.seen is None


def test_a_cache_server_that_began_again_is_no_loss(world: World) -> None:
    world.at(0, 1_000, canaries=1_000)
    assert world.at(10, 3, canaries=1_020) is None
    found = world.at(70, 123, canaries=1_140)
    assert found is not None
    assert found.seen == 1.0


def test_counters_that_are_not_known_say_nothing(world: World) -> None:
    unknown = Reading(counters=None, live=(), lost=None, sources={})
    assert world.collector.collect(unknown, 5) is None


@pytest.fixture
def empty_truth() -> Iterator[None]:
    valkey.client().delete("switchyard:canaries")
    yield
    valkey.client().delete("switchyard:canaries")


def _sung() -> float:
    return next(s.value for m in CANARIES.collect() for s in m.samples if s.name.endswith("_total"))


def test_an_event_is_counted_by_both(empty_truth: None) -> None:
    before = _sung()
    assert canary.truth() == 0
    canary.sing()
    canary.sing()
    assert (canary.truth(), _sung() - before) == (2, 2)
    valkey.client().set("switchyard:canaries", "rubbish")
    assert canary.truth() == 0


def test_where_the_cache_server_cannot_count_there_is_no_event(no_valkey: None) -> None:
    before = _sung()
    canary.sing()
    assert _sung() == before


class Task:
    """As Celery gives one to its receivers."""

    def __init__(self, name: str, *, redelivered: bool = False) -> None:
        self.name = name
        self.request = self
        self.delivery_info = {"redelivered": redelivered}


def counted(task: str, outcome: str) -> float:
    return float(TASKS.labels(task, outcome)._value.get())


def test_each_end_of_a_task_is_counted_under_its_name_and_strangers_as_others() -> None:
    ends = [
        (celery_counts._done, "ok"),
        (celery_counts._retried, "retried"),
        (celery_counts._failed, "failed"),
    ]
    for end, outcome in ends:
        for name, label in (("validation.drain", "validation.drain"), ("evil" * 9, "other")):
            before = counted(label, outcome)
            end(sender=Task(name))
            assert counted(label, outcome) == before + 1
    before = counted("validation.drain", "again")
    celery_counts._begun(task=Task("validation.drain"))
    celery_counts._begun(task=Task("validation.drain", redelivered=True))
    assert counted("validation.drain", "again") == before + 1


def test_each_task_of_ours_is_counted_by_its_name() -> None:
    app.loader.import_default_modules()
    ours = [name for name in app.tasks if not name.startswith("celery.")]
    assert len(ours) > 5
    before = {name: counted(name, "ok") for name in ours}
    for name in ours:
        celery_counts._done(sender=Task(name))
    assert {name: counted(name, "ok") for name in ours} == {name: before[name] + 1 for name in ours}
