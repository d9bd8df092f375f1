"""An outage is told once, looked at until it ends, and refuses nobody by an old look."""

import threading
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from console.postgres.outage import LOOK_EVERY_S, DatabaseAway, Outage
from tests.fleet import wait_until


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Pool:
    """One whose looks fail while `outage` is given, as the real one's do."""

    name = "db.test"
    closed = False

    def __init__(self) -> None:
        self.looks = 0
        self.outage: Outage | None = None

    def check(self) -> None:
        self.looks += 1
        if self.outage is not None:
            self.outage.begin(self, self.outage._clock())


class Later:
    """What is to be done later, done when the test says."""

    def __init__(self) -> None:
        self.due: list[tuple[float, Callable[[], None]]] = []

    def __call__(self, seconds: float, act: Callable[[], None]) -> None:
        self.due.append((seconds, act))

    def passes(self) -> None:
        due, self.due = self.due, []
        for _, act in due:
            act()


class World:
    def __init__(self) -> None:
        self.clock, self.later, self.pool = Clock(), Later(), Pool()
        self.outage = Outage(clock=self.clock, later=self.later)

    def away_for(self, seconds: float) -> "World":
        self.outage.begin(self.pool, self.clock.now)
        self.clock.now += seconds
        return self


@pytest.fixture
def world() -> World:
    return World()


def test_it_is_told_once_and_its_end_with_how_long_it_took(world: World) -> None:
    with capture_logs() as logs:
        world.away_for(5.0).outage.begin(world.pool, world.clock.now)
        world.outage.end("db.test")
        world.outage.end("db.test")
    assert [(line["event"], line.get("away_s")) for line in logs] == [
        ("database.away", None),
        ("database.back", 5.0),
    ]
    assert world.outage.lasts_s is None


def test_one_look_after_the_other_until_one_succeeds(world: World) -> None:
    world.pool.outage = world.outage
    world.away_for(0.0).outage.begin(world.pool, world.clock.now)
    assert [seconds for seconds, _ in world.later.due] == [LOOK_EVERY_S]
    world.later.passes()
    assert (world.pool.looks, len(world.later.due)) == (1, 1)
    world.pool.outage = None
    world.later.passes()
    assert (world.pool.looks, world.later.due) == (2, [])


def test_a_pool_that_is_closed_is_not_looked_at(world: World) -> None:
    world.away_for(0.0).pool.closed = True
    world.later.passes()
    assert (world.pool.looks, world.later.due) == (0, [])


def test_a_short_outage_keeps_nobody_from_waiting_for_a_connection(world: World) -> None:
    world.away_for(1.9).outage.wait(world.clock.now + 1)


def test_who_comes_before_a_look_that_fails_is_refused_by_it(world: World) -> None:
    world.away_for(3.0).pool.outage = world.outage
    refused = threading.Event()

    def ask() -> None:
        with pytest.raises(DatabaseAway):
            world.outage.wait(world.clock.now + 60)
        refused.set()

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()

    def looked() -> bool:
        world.clock.now += 0.1
        world.later.passes()
        return refused.is_set()

    wait_until(looked, within_s=5, what="it is refused")


def test_who_comes_after_the_last_failed_look_waits_for_the_next(world: World) -> None:
    """It may be the one that succeeds."""
    world.away_for(3.0).pool.outage = world.outage
    world.later.passes()
    world.clock.now += 0.01
    let_in = threading.Event()

    def ask() -> None:
        world.outage.wait(world.clock.now + 60)
        let_in.set()

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    assert not let_in.wait(0.05)
    world.outage.end("db.test")
    assert let_in.wait(5)


def test_nobody_is_refused_by_an_attempt_that_began_before_and_fails_after_a_newer_look(
    world: World,
) -> None:
    """Two are under way where two connections broke: Postgres may be back in between."""
    slow = world.away_for(3.0).clock.now
    world.clock.now += 0.01
    let_in = threading.Event()

    def ask() -> None:
        world.outage.wait(world.clock.now + 60)
        let_in.set()

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    assert not let_in.wait(0.05)
    world.clock.now += 0.01
    world.later.passes()
    world.outage.begin(world.pool, slow)
    assert not let_in.wait(0.05)
    world.outage.end("db.test")
    assert let_in.wait(5)


def test_nobody_waits_longer_than_told(world: World) -> None:
    world.away_for(3.0)
    with pytest.raises(DatabaseAway):
        world.outage.wait(world.clock.now)
