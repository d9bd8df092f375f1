"""Quotas of tokens: how many calls each way of counting grants, and what an outage changes."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import redis
import structlog

from console.access.counting import Grant, ValkeyCounter
from console.access.quotas import CHOSEN_EVERY_S, WINDOW_S, InProcess, Leased, Quotas, Shared
from console.embedded.cluster import Cluster
from monitoring import valkey


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Fleet:
    """What all processes share, and whether it can be asked."""

    def __init__(self, rate: int) -> None:
        self.left = rate
        self.asked = 0
        self.is_down = False

    def draw(self, key: str, calls: int) -> Grant:
        self.asked += 1
        if self.is_down:
            raise redis.ConnectionError("refused")
        granted = min(calls, self.left)
        self.left -= granted
        return Grant(calls=granted, ends_in_s=30.0)


class Later:
    """What is done in the background, when the test says."""

    def __init__(self) -> None:
        self.work: list[Callable[[], None]] = []

    def __call__(self, work: Callable[[], None]) -> None:
        self.work.append(work)

    def run(self) -> None:
        while self.work:
            self.work.pop(0)()


def granted(quota: InProcess | Shared | Leased, calls: int, key: str = "a") -> int:
    return sum(quota.take(key) is None for _ in range(calls))


def test_a_process_counts_its_own_calls_of_each_token_a_minute() -> None:
    clock = Clock()
    quota = InProcess(5, clock)
    assert granted(quota, 8) == 5
    assert granted(quota, 8, "another") == 5
    clock.now += 20
    assert quota.take("a") == pytest.approx(WINDOW_S - 20)
    clock.now += WINDOW_S - 20
    assert granted(quota, 8) == 5


def test_shared_is_exact_over_processes_and_says_when_the_minute_ends() -> None:
    fleet = Fleet(10)
    here, there = Shared(10, fleet), Shared(10, fleet)
    assert granted(here, 7) + granted(there, 7) == 10
    assert there.take("a") == 30.0
    assert fleet.asked == 15


def test_shared_counts_alone_in_an_outage_and_does_not_wait_for_it_at_each_call() -> None:
    clock, fleet = Clock(), Fleet(10)
    quota = Shared(10, fleet, clock)
    fleet.is_down = True
    assert granted(quota, 25) == 10
    assert fleet.asked == 1
    fleet.is_down = False
    clock.now += 1
    assert quota.take("a") is None
    assert fleet.asked == 2


def test_leased_draws_many_calls_at_once_and_none_of_them_on_the_callers_way() -> None:
    fleet, later = Fleet(10_000), Later()
    quota = Leased(10_000, fleet, Clock(), later)
    assert quota.take("a") is None
    assert fleet.asked == 0
    for _ in range(5_000):
        later.run()
        assert quota.take("a") is None
    assert fleet.asked < 60


@pytest.mark.parametrize(("rate", "ahead"), [(1_200, 100), (600_000, 10_000)])
def test_leased_runs_ahead_of_a_lease_that_is_not_back_by_a_seconds_calls_at_most(
    rate: int, ahead: int
) -> None:
    fleet, later = Fleet(rate), Later()
    quota = Leased(rate, fleet, Clock(), later)
    assert granted(quota, ahead + 500) == ahead
    assert len(later.work) == 1
    assert quota.take("a") == 1.0
    later.run()
    assert granted(quota, 100) == 100


def test_leased_processes_together_grant_the_rate_and_little_more() -> None:
    fleet, clock = Fleet(1_000), Clock()
    later = Later()
    processes = [Leased(1_000, fleet, clock, later) for _ in range(4)]
    total = 0
    for _ in range(600):
        for quota in processes:
            total += quota.take("a") is None
            later.run()
    assert 1_000 <= total <= 1_004
    clock.now += 10
    assert processes[0].take("a") == pytest.approx(20.0)
    fleet.left = 1_000
    clock.now += 20
    assert processes[0].take("a") is None


def test_leased_keeps_the_limit_of_one_process_in_an_outage() -> None:
    fleet, later = Fleet(1_000), Later()
    quota = Leased(1_000, fleet, Clock(), later)
    fleet.is_down = True
    total = 0
    for _ in range(1_500):
        total += quota.take("a") is None
        later.run()
    assert total == 1_000


def test_a_small_rate_is_usable_when_leased() -> None:
    fleet, later = Fleet(3), Later()
    quota = Leased(3, fleet, Clock(), later)
    assert granted(quota, 3) == 3
    later.run()
    assert granted(quota, 5) == 0


def test_a_change_of_the_flag_changes_the_way_of_counting_within_half_a_second() -> None:
    clock, chosen = Clock(), ["process"]
    made: list[str] = []

    def maker(name: str) -> Callable[[int], InProcess]:
        def make(rate: int) -> InProcess:
            made.append(name)
            return InProcess(rate, clock)

        return make

    table = {name: maker(name) for name in ("process", "leased")}
    quotas = Quotas(1, lambda: chosen[0], variants=table, clock=clock)
    assert quotas.take("a") is None
    chosen[0] = "leased"
    assert quotas.take("a") == WINDOW_S
    clock.now += CHOSEN_EVERY_S
    assert quotas.take("a") is None
    chosen[0] = "a variant of a release to come"
    clock.now += CHOSEN_EVERY_S
    assert quotas.take("a") is not None
    assert made == ["process", "leased"]


@pytest.fixture
def empty_cache(services: Cluster) -> Iterator[None]:
    valkey.client().flushdb()
    yield
    valkey.client().flushdb()


def test_valkey_counts_for_all_and_forgets_after_the_minute(empty_cache: None) -> None:
    here, there = ValkeyCounter(10), ValkeyCounter(10)
    assert here.draw("a", 4).calls == 4
    assert there.draw("a", 4).calls == 4
    last = here.draw("a", 4)
    assert last.calls == 2
    assert 1.0 <= last.ends_in_s <= 60.0
    assert there.draw("a", 4).calls == 0
    assert there.draw("b", 4).calls == 4
    keys = valkey.client().keys("switchyard:quota:*")
    assert len(keys) == 2
    assert all(0 < valkey.client().ttl(key) <= 60 for key in keys)


def test_leased_on_valkey_never_waits_for_it(empty_cache: None) -> None:
    may_draw, drawn = threading.Event(), threading.Event()

    class Held(ValkeyCounter):
        def draw(self, key: str, calls: int) -> Grant:
            assert may_draw.wait(60)
            grant = super().draw(key, calls)
            drawn.set()
            return grant

    quota = Leased(100_000, Held(100_000))
    try:
        assert granted(quota, 100) == 100
        assert not drawn.is_set()
    finally:
        may_draw.set()
    assert drawn.wait(60)
    assert len(valkey.client().keys("switchyard:quota:*")) == 1


def test_what_nobody_foresaw_ends_the_drawing_of_no_token() -> None:
    """Not even of the token whose drawing it was."""
    fleet = Fleet(6_000)

    class Odd:
        def draw(self, key: str, calls: int) -> Grant:
            if not fleet.asked:
                fleet.asked += 1
                raise ValueError("an answer that is none")
            return fleet.draw(key, calls)

    quota, ends = Leased(6_000, Odd()), time.monotonic() + 10
    with structlog.testing.capture_logs() as lines:
        for key in ("odd", "another"):
            # Far more than is run ahead of a lease: it came.
            count = 0
            while count < 1_000 and time.monotonic() < ends:
                count += granted(quota, 10, key)
            assert count >= 1_000, key
    assert [line["event"] for line in lines] == ["quotas.not_drawn"]
