"""A process reads what is wanted and obeys: in order, once, to the end and not beyond."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone
from structlog.testing import capture_logs

from console import controls
from tests.controls.conftest import L2, WHY, actor
from validation.controls import PURGES_MATTER_S, Obedience, read
from validation.models import Control, ControlRevision
from validation.resilience import Breakers, Rejected, State

type Connect = Callable[[], psycopg.Connection[Any]]


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Cache:
    """What a process's cache was told."""

    def __init__(self) -> None:
        self.sizes: list[tuple[dict[str, float], int]] = []
        self.purged: list[tuple[str, int]] = []
        self.ages: list[float] = []
        self.is_broken = False

    def resize(self, settings: Mapping[str, float], *, revision: int) -> None:
        if self.is_broken:
            raise RuntimeError("no room")
        self.sizes.append((dict(settings), revision))

    def purge(self, tag: str, *, age_s: float, revision: int) -> None:
        self.purged.append((tag, revision))
        self.ages.append(age_s)


class Process:
    def __init__(self, connect: Connect) -> None:
        self.clock = Clock()
        self.breakers = Breakers(clock=self.clock)
        self.cache = Cache()
        self.connection = connect()
        self.obedience = Obedience(self.breakers, self.cache, clock=self.clock)

    def heed(self) -> bool:
        return self.obedience.heed(self.connection)

    def acknowledged(self) -> int | None:
        return self.obedience.revision

    def after(self, seconds: float) -> None:
        self.clock.now += seconds
        self.obedience.tend()

    def state(self) -> State:
        return self.breakers.get(L2).state

    @property
    def open_s(self) -> float:
        return self.breakers.get(L2).report().settings["open_s"]


@pytest.fixture
def process(connect: Connect) -> Process:
    return Process(connect)


def force_open(for_s: float = 900) -> None:
    controls.override_breaker(actor(), L2, "forced_open", reason=WHY, for_s=for_s, confirm=L2)


def test_who_has_read_nothing_acknowledges_nothing(process: Process) -> None:
    assert process.acknowledged() is None
    assert process.heed()
    assert process.acknowledged() == 0
    assert not process.heed()


def test_after_the_acknowledgement_no_call_passes(process: Process) -> None:
    breaker = process.breakers.get(L2)
    breaker.settle(breaker.admit(), 0.001)
    force_open()
    assert process.heed()
    assert process.acknowledged() == 1
    with pytest.raises(Rejected) as rejected:
        breaker.admit()
    assert rejected.value.forced


def test_a_breaker_made_later_obeys_too(process: Process) -> None:
    force_open()
    process.heed()
    assert process.state() is State.FORCED_OPEN


def test_what_is_forced_ends_in_time_with_postgres_away(process: Process) -> None:
    force_open(for_s=60)
    process.heed()
    process.connection.close()
    process.after(58)
    assert process.state() is State.FORCED_OPEN
    process.after(3)
    assert process.state() is State.CLOSED


def test_a_process_that_starts_late_is_given_what_is_left(process: Process) -> None:
    force_open(for_s=60)
    Control.objects.update(expires_at=timezone.now() + timedelta(seconds=10))
    process.heed()
    process.after(11)
    assert process.state() is State.CLOSED


def test_what_has_ended_is_not_obeyed_by_who_starts_then(process: Process) -> None:
    force_open()
    controls.tune_breaker(actor(), L2, {"open_s": 33}, reason=WHY)
    past = timezone.now() - timedelta(seconds=1)
    Control.objects.update(expires_at=past, tuned_until=past)
    process.heed()
    assert (process.state(), process.acknowledged()) == (State.CLOSED, 2)
    assert process.open_s != 33


def test_lasting_thresholds_outlive_what_lay_over_them(process: Process) -> None:
    admin = actor("admin")
    controls.tune_breaker(admin, L2, {"open_s": 33}, reason=WHY, for_s=None)
    controls.tune_breaker(actor(), L2, {"open_s": 44}, reason=WHY, for_s=60)
    force_open(for_s=30)
    process.heed()
    assert (process.state(), process.open_s) == (State.FORCED_OPEN, 44)
    process.after(31)
    assert (process.state(), process.open_s) == (State.CLOSED, 44)
    process.after(30)
    assert process.open_s == 33
    process.after(90_000)
    assert process.open_s == 33


def test_forced_open_stays_so_when_thresholds_end_before_it(process: Process) -> None:
    controls.tune_breaker(actor(), L2, {"open_s": 44}, reason=WHY, for_s=60)
    force_open(for_s=900)
    process.heed()
    breaker = process.breakers.get(L2)
    process.clock.now += 61  # and nobody has tended to anything since
    with pytest.raises(Rejected) as rejected:
        breaker.admit()
    assert rejected.value.forced
    assert breaker.report().forced_for_s == pytest.approx(839, abs=5)


def test_lasting_thresholds_hold_from_the_moment_that_a_mode_ends(process: Process) -> None:
    lasting = {"consecutive_failures": 1000, "min_calls": 1000}
    controls.tune_breaker(actor("admin"), L2, lasting, reason=WHY, for_s=None)
    controls.override_breaker(actor(), L2, "forced_closed", reason=WHY, for_s=60)
    process.heed()
    breaker = process.breakers.get(L2)
    process.clock.now += 61
    for _ in range(20):
        breaker.settle(breaker.admit(), 0.001, ConnectionError())
    assert breaker.state is State.CLOSED


def test_auto_is_obeyed_at_once(process: Process) -> None:
    force_open()
    process.heed()
    controls.release_breaker(actor(), L2, reason=WHY)
    assert process.heed()
    assert process.state() is State.CLOSED


def trip(process: Process) -> None:
    breaker = process.breakers.get(L2)
    for _ in range(100):
        if breaker.state is State.OPEN:
            return
        breaker.settle(breaker.admit(), 0.001, ConnectionError())
    raise AssertionError("it does not trip")


def test_a_reset_closes_what_is_open_once(process: Process) -> None:
    trip(process)
    controls.reset_breaker(actor(), L2, reason=WHY)
    process.heed()
    assert process.state() is State.CLOSED
    trip(process)
    controls.tune_breaker(actor(), L2, {"min_calls": 7}, reason=WHY)
    process.heed()
    assert process.state() is State.OPEN


def test_a_new_connection_repeats_neither_resets_nor_purges(
    process: Process, connect: Connect
) -> None:
    controls.reset_breaker(actor(), L2, reason=WHY)
    controls.purge(actor(), "head", reason=WHY, confirm="head")
    process.heed()
    trip(process)
    process.connection.close()
    with pytest.raises(psycopg.OperationalError):
        process.heed()
    process.connection = connect()
    assert not process.heed()
    assert process.state() is State.OPEN
    assert process.cache.purged == [("head", 2)]


def test_sizes_of_l1_end_and_leave_what_lasts(process: Process) -> None:
    controls.resize_l1(actor("admin"), {"max_entries": 500}, reason=WHY, for_s=None)
    controls.resize_l1(actor(), {"max_entries": 900}, reason=WHY, for_s=60)
    process.heed()
    process.after(61)
    assert process.cache.sizes == [({"max_entries": 900}, 2), ({"max_entries": 500}, 2)]


def test_an_end_that_cannot_be_kept_is_kept_the_next_time(process: Process) -> None:
    controls.resize_l1(actor(), {"max_entries": 900}, reason=WHY, for_s=60)
    process.heed()
    process.cache.is_broken = True
    process.after(61)
    process.cache.is_broken = False
    process.after(1)
    process.after(1)
    assert process.cache.sizes == [({"max_entries": 900}, 1), ({}, 1)]


def test_each_purge_is_told_with_its_age(process: Process) -> None:
    controls.purge(actor(), "head", reason=WHY, confirm="head")
    Control.objects.update(changed_at=timezone.now() - timedelta(seconds=100))
    controls.purge(actor(), "all", reason=WHY, confirm="all")
    process.heed()
    assert process.cache.purged == [("head", 1), ("all", 2)]
    assert process.cache.ages == [pytest.approx(100, abs=5), pytest.approx(0, abs=5)]


def test_a_purge_that_nothing_is_old_enough_for_is_not_read(process: Process) -> None:
    controls.purge(actor(), "head", reason=WHY, confirm="head")
    past = timezone.now() - timedelta(seconds=PURGES_MATTER_S + 60)
    Control.objects.update(changed_at=past)
    process.heed()
    assert process.cache.purged == []
    assert process.acknowledged() == 1


def test_what_cannot_be_done_is_not_acknowledged_and_keeps_nobody_from_the_rest(
    process: Process,
) -> None:
    controls.reset_breaker(actor(), L2, reason=WHY)
    controls.resize_l1(actor(), {"max_entries": 500}, reason=WHY)
    force_open()
    process.cache.is_broken = True
    process.heed()
    assert process.acknowledged() == 1
    assert process.state() is State.FORCED_OPEN
    process.cache.is_broken = False
    assert process.heed()
    assert process.acknowledged() == 3
    assert process.cache.sizes == [({"max_entries": 500}, 2)]


def test_of_what_another_version_wants_the_part_that_is_known_is_obeyed_not_acknowledged(
    process: Process,
) -> None:
    controls.tune_breaker(actor("admin"), L2, {"open_s": 9}, reason=WHY, for_s=None)
    force_open(for_s=60)
    Control.objects.update(lasting={"no_such_threshold": 1, "open_s": 9, "min_calls": -3})
    with capture_logs() as logs:
        for _ in range(10):
            process.heed()
    assert process.acknowledged() == 1
    assert (process.state(), process.open_s) == (State.FORCED_OPEN, 9)
    [told] = logs
    assert told["event"] == "control.obeyed_in_part"
    assert [refusal.split(":")[0] for refusal in told["refused"]] == [
        "min_calls",
        "no_such_threshold",
    ]
    process.after(61)
    assert process.state() is State.CLOSED
    controls.tune_breaker(actor("admin"), L2, {"open_s": 8}, reason=WHY, for_s=None)
    Control.objects.update(lasting={"open_s": 8})
    process.heed()
    assert (process.acknowledged(), process.open_s) == (3, 8)


def test_a_mode_of_another_version_leaves_the_breaker_to_itself(process: Process) -> None:
    force_open()
    Control.objects.update(mode="forced_ajar")
    process.heed()
    assert (process.state(), process.acknowledged()) == (State.CLOSED, 0)


def test_what_is_done_is_not_done_again_while_another_wish_cannot_be(process: Process) -> None:
    controls.resize_l1(actor(), {"max_entries": 500}, reason=WHY)
    controls.purge(actor(), "head", reason=WHY, confirm="head")
    controls.purge(actor(), "all", reason=WHY, confirm="all")
    process.cache.is_broken = True
    with capture_logs() as logs:
        for _ in range(10):
            process.heed()
    assert process.acknowledged() == 0
    assert process.cache.purged == [("head", 2), ("all", 3)]
    assert [told["event"] for told in logs] == ["control.failed"]
    controls.purge(actor(), "head", reason=WHY, confirm="head")
    process.heed()
    assert process.cache.purged[2:] == [("head", 4)]
    process.cache.is_broken = False
    process.heed()
    assert (process.acknowledged(), len(process.cache.purged)) == (4, 3)


def test_a_purge_that_failed_is_tried_again_though_a_later_one_was_done(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    controls.purge(actor(), "head", reason=WHY, confirm="head")
    controls.purge(actor(), "all", reason=WHY, confirm="all")
    purge = process.cache.purge

    def refuse_head(tag: str, *, age_s: float, revision: int) -> None:
        if tag == "head":
            raise ConnectionError("no Valkey")
        purge(tag, age_s=age_s, revision=revision)

    with monkeypatch.context() as patched:
        patched.setattr(process.cache, "purge", refuse_head)
        process.heed()
    assert process.acknowledged() == 0
    process.heed()
    assert process.acknowledged() == 2
    assert process.cache.purged == [("all", 2), ("head", 1)]


def test_a_database_restored_from_before_is_obeyed(process: Process) -> None:
    controls.tune_breaker(actor(), L2, {"open_s": 33}, reason=WHY)
    force_open()
    controls.resize_l1(actor(), {"max_entries": 500}, reason=WHY)
    process.heed()
    assert process.state() is State.FORCED_OPEN
    Control.objects.all().delete()
    ControlRevision.objects.update(value=0)
    controls.tune_breaker(actor(), L2, {"open_s": 44}, reason=WHY)
    controls.purge(actor(), "head", reason=WHY, confirm="head")
    assert process.heed()
    assert (process.state(), process.open_s) == (State.CLOSED, 44)
    assert process.acknowledged() == 2
    assert process.cache.sizes[-1] == ({}, 0)
    assert process.cache.purged == [("head", 2)]  # by a number that was used before


def test_a_connection_of_a_worker_reads_the_same(
    worker_connection: psycopg.Connection[Any],
) -> None:
    controls.tune_breaker(actor(), L2, {"open_s": 33}, reason=WHY, for_s=60)
    [row] = read(worker_connection, 0).rows
    assert (row.settings, row.lasting, row.reset_revision) == ({"open_s": 33}, {}, 0)
    assert row.tuned_for_s == pytest.approx(60, abs=5)


def test_only_what_is_newer_is_read(connect: Connect) -> None:
    connection = connect()
    assert read(connection, 0).rows == ()
    force_open()
    controls.resize_l1(actor(), {"max_entries": 500}, reason=WHY)
    changes = read(connection, 1)
    assert (changes.revision, [row.kind for row in changes.rows]) == (2, ["l1"])
    assert not changes.whole
    assert [row.name for row in read(connection, 0).rows] == [L2, ""]
    assert read(connection, 2).rows == ()


def test_a_process_says_which_revision_each_breaker_obeys(process: Process) -> None:
    force_open()
    process.heed()
    report = process.breakers.get(L2).report()
    assert report.revision == 1
    assert report.forced_for_s == pytest.approx(900, abs=5)
