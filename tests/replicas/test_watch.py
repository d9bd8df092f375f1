"""What is thought of a replica by what it and the primary say; real ones at the end."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import psycopg
import pytest

from console.database import ReplicaUrl
from console.embedded.cluster import Cluster
from console.replicas.looking import Server, look
from console.replicas.watch import Watch
from monitoring.collectors import replicas as told
from tests.fleet import wait_until
from tests.replicas.clock import Clock
from tests.replicas.conftest import ask

pytestmark = pytest.mark.timeout(300)
NOON = 1_700_000_000.0
NAMES = ("replica_1", "replica_2")
_URLS = tuple(ReplicaUrl(label=name, url="postgresql:///x", weight=1) for name in NAMES)


class Servers:
    """By database alias; one that is missing does not answer. Clocks move with `clock`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        primary = Server(
            system="7", follows=False, lsn=1_000, clock_s=NOON, committed_s=None, round_trip_ms=1.0
        )
        replica = replace(primary, follows=True, committed_s=NOON - 0.1)
        self.of = {"default": primary} | dict.fromkeys(NAMES, replica)

    def __call__(self, alias: str) -> Server:
        if alias not in self.of:
            raise psycopg.OperationalError
        return replace(self.of[alias], clock_s=NOON + self._clock.now)

    def change(self, alias: str, **fields: object) -> None:
        self.of[alias] = replace(self.of[alias], **fields)  # type: ignore[arg-type]


@pytest.fixture
def servers(clock: Clock) -> Servers:
    return Servers(clock)


@pytest.fixture
def watch(servers: Servers, clock: Clock, services: Cluster) -> Iterator[Watch]:
    made = Watch(_URLS, ask=servers, clock=clock)
    made.turn()
    yield made
    made.stop()


def used(watch: Watch) -> list[str]:
    return [one.label for one in watch.usable()]


def why(watch: Watch) -> str:
    return watch.standing()[0].why


def test_well_ones_are_used_and_told_of(watch: Watch) -> None:
    assert used(watch) == list(NAMES)
    assert [(one.label, one.in_use, one.lag_s) for one in told.standing()] == [
        ("replica_1", True, 0.0),
        ("replica_2", True, 0.0),
    ]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"follows": False}, "It follows nobody: it was promoted, or never did."),
        ({"system": "8"}, "It is a copy of another Postgres."),
        ({"lsn": 900, "committed_s": NOON}, "It is 9.0 s behind; 5 s are allowed."),
        ({"lsn": None, "committed_s": None}, "How far it is behind is not known."),
    ],
)
def test_one_that_may_not_be_read_from_is_left(
    watch: Watch, servers: Servers, clock: Clock, fields: dict[str, object], said: str
) -> None:
    clock.now += 9
    servers.change("default", lsn=1_200)
    servers.change("replica_2", lsn=1_200)
    servers.change("replica_1", **fields)
    watch.turn()
    assert (used(watch), why(watch)) == (["replica_2"], said)


def test_one_that_does_not_answer_is_left_and_told_to_be_gone(
    watch: Watch, servers: Servers
) -> None:
    del servers.of["replica_1"]
    watch.turn()
    assert used(watch) == ["replica_2"]
    (first, _) = told.standing()
    assert (first.reachable, first.lag_s, first.lag_bytes) == (False, None, None)
    assert (first.round_trip_ms, first.why) == (
        None,
        "It cannot be reached, or the connection was cut.",
    )


def test_without_the_primarys_word_nobody_knows_how_far_they_are_behind(
    watch: Watch, servers: Servers
) -> None:
    del servers.of["default"]
    watch.turn()
    assert used(watch) == []
    assert "the primary does not answer" in why(watch)


def test_a_primary_that_follows_is_none(watch: Watch, servers: Servers) -> None:
    servers.change("default", follows=True)
    watch.turn()
    assert (used(watch), why(watch)) == ([], "DATABASE_URL names a replica itself.")


def test_a_failed_read_is_known_before_the_next_look(watch: Watch) -> None:
    watch.failed(watch.replicas[0])
    assert used(watch) == ["replica_2"]
    for _ in range(2):
        watch.turn()
        assert used(watch) == ["replica_2"]
    watch.turn()
    assert used(watch) == list(NAMES)


def test_what_it_has_replayed_is_remembered(watch: Watch, servers: Servers) -> None:
    servers.change("replica_1", lsn=1_500)
    watch.turn()
    assert [one.replayed for one in watch.replicas] == [1_500, 1_000]


def _over(cluster: Cluster) -> Callable[[str], Server]:
    urls = {"default": cluster.dsn} | {one.label: one.url for one in cluster.replicas}
    return lambda alias: look(psycopg.conninfo.conninfo_to_dict(urls[alias]))


@pytest.mark.slow
def test_a_real_one_falls_behind_and_comes_back(cluster: Cluster) -> None:
    watch = Watch(_URLS, ask=_over(cluster))
    first = cluster.replicas[0]

    def both() -> bool:
        watch.turn()
        return used(watch) == list(NAMES)

    def left() -> bool:
        ask(cluster.dsn, "CREATE TABLE IF NOT EXISTS grown AS SELECT 1 AS x")
        ask(cluster.dsn, "INSERT INTO grown SELECT generate_series(1, 1000)")
        watch.turn()
        return used(watch) == ["replica_2"]

    try:
        wait_until(both, within_s=10, what="both are in use")
        ask(first.url, "SELECT pg_wal_replay_pause()")
        wait_until(left, within_s=20, what="the one that stands still is left")
        standing = watch.standing()[0]
        assert (standing.lag_s or 0.0) > 5
        assert (standing.lag_bytes or 0) > 10_000
        assert standing.reachable
        ask(first.url, "SELECT pg_wal_replay_resume()")
        wait_until(both, within_s=10, what="it is used again")
    finally:
        ask(first.url, "SELECT pg_wal_replay_resume()")
        watch.stop()


@pytest.mark.slow
def test_a_real_one_that_stops_is_gone_and_a_promoted_one_is_none(cluster: Cluster) -> None:
    watch = Watch(_URLS, ask=_over(cluster))
    first, second = cluster.replicas

    def both() -> bool:
        watch.turn()
        return used(watch) == list(NAMES)

    def left() -> bool:
        watch.turn()
        return used(watch) == []

    try:
        wait_until(both, within_s=10, what="both are in use")
        first.kill9()
        ask(second.url, "SELECT pg_promote()")
        wait_until(left, within_s=10, what="both are left")
        assert [one.reachable for one in watch.standing()] == [False, True]
        first.start()
        second.restart()  # copied anew
        wait_until(both, within_s=20, what="both are back")
    finally:
        watch.stop()


def test_one_that_was_promoted_answers_and_is_no_replica(watch: Watch, servers: Servers) -> None:
    servers.change("replica_1", follows=False)
    watch.turn()
    (first, second) = told.standing()
    assert first.reachable
    assert first.ill == "It follows nobody: it was promoted, or never did."
    assert second.ill == ""
