"""Whatever order tellings, folds, ends, kills and additions come in, each count is read once."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring import incarnations, processes, valkey
from monitoring.models import Incarnation
from monitoring.processes import ProcessSnapshot
from monitoring.totals import Totals
from tests.monitoring.conftest import Process, pass_time, shared

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class World:
    """Three processes at a time; `told` is what each of all of them ever told."""

    running: list[Process] = field(default_factory=lambda: [Process() for _ in range(3)])
    told: dict[Process, int] = field(default_factory=dict)
    counts: dict[Process, int] = field(default_factory=dict)
    # What somebody read from Valkey and has not folded yet.
    looked: list[list[ProcessSnapshot]] = field(default_factory=list)
    # One who looks after each step, and one who looks now and then.
    eager: Totals = field(default_factory=Totals)
    lazy: Totals = field(default_factory=Totals)

    def count(self, which: int) -> None:
        process = self.running[which]
        process.done.inc(which + 1)
        self.counts[process] = self.counts.get(process, 0) + which + 1

    def tell(self, which: int) -> None:
        self.count(which)
        self.running[which].publisher.tell()
        self.told[self.running[which]] = self.counts[self.running[which]]

    def end(self, which: int) -> None:
        process = self.running[which]
        process.publisher.stop()
        self.told[process] = self.counts.get(process, 0)
        self.running[which] = Process()

    def kill(self, which: int) -> None:
        self.running[which] = Process()

    def sweep(self, _: int) -> None:
        incarnations.sweep()

    def look(self, _: int) -> None:
        self.looked.append(processes.told())

    def fold_late(self, which: int) -> None:
        for snapshots in self.looked[: which + 1]:
            incarnations.fold(snapshots)

    def pass_minutes(self, _: int) -> None:
        pass_time(900, *self.running)

    def pass_hours(self, _: int) -> None:
        pass_time(7_300, *self.running)

    def read(self, _: int) -> None:
        self.assert_each_counted_once(self.lazy)

    def assert_each_counted_once(self, reader: Totals) -> None:
        assert shared(reader.read().counters) == sum(self.told.values())


STEPS = (
    *(World.count, World.tell, World.end, World.kill, World.sweep, World.look, World.fold_late),
    *(World.pass_minutes, World.pass_hours, World.read),
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 2)), min_size=10, max_size=25))
def test_each_count_is_read_exactly_once(
    steps: list[tuple[Callable[[World, int], None], int]],
) -> None:
    valkey.client().flushdb()
    Incarnation.objects.all().delete()
    world = World()
    for step, which in steps:
        step(world, which)
        world.assert_each_counted_once(world.eager)
    world.assert_each_counted_once(world.lazy)
    world.assert_each_counted_once(Totals())
