"""What a real PgBouncer tells of its pools, and what is known of one that does not answer."""

from collections.abc import Callable, Iterator

import psutil
import psycopg
import pytest
from pytest_django import Settings

from console.embedded.cluster import Cluster
from console.pgbouncer import Mode
from monitoring.collecting import Collector
from monitoring.collectors import told
from monitoring.collectors.outcome import look
from monitoring.collectors.pgbouncer import SOURCE, PgBouncerCollector, PgBouncerSample
from monitoring.history import figures
from tests import empty_world
from tests.collectors.conftest import WITHIN_S
from tests.fleet import wait_until
from tests.pgbouncer.bouncer import PASSWORD, Bouncer


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def bouncer(pgbouncer: str, services: Cluster) -> Iterator[Bouncer]:
    with Bouncer(binary=pgbouncer, cluster=services, mode=Mode.TRANSACTION, pool=2) as started:
        yield started


def test_who_waits_is_told_with_how_long_and_of_how_many(bouncer: Bouncer) -> None:
    collector = PgBouncerCollector()
    waiting = bouncer.connect()
    with bouncer.sessions():
        # Sent without waiting for what cannot come: both connections are held.
        waiting.pgconn.send_query(b"SELECT 1")

        def waited() -> bool:
            [pool] = collector.collect(bouncer.admin_url).pools
            return pool.max_wait_s > 0

        wait_until(waited, within_s=WITHIN_S, what="a client has waited")
        sample = collector.collect(bouncer.admin_url)
        [pool] = sample.pools
        assert (pool.used, pool.idle, pool.max, pool.mode) == (2, 0, 2, "transaction")
        assert (pool.clients, pool.waiting) == (3, 1) == (sample.clients, sample.waiting)
        assert pool.max_wait_s == sample.max_wait_s
    waiting.close()
    assert sample.version == "1.18.0"
    assert sample.clients_max >= 100


def test_what_it_may_open_is_told(bouncer: Bouncer) -> None:
    with bouncer.connect() as client:
        client.execute("SELECT 1")
        told = PgBouncerCollector().collect(bouncer.admin_url).settings
    assert told is not None
    assert (told.mode, told.query_wait_s, told.user_most) == ("transaction", 5.0, 0)
    [lent] = told.lent
    assert (lent.pool, lent.reserve, lent.most, lent.users) == (2, 0, 2, 1)


def test_rates_are_differences_and_unknown_at_first(bouncer: Bouncer) -> None:
    clock = Clock()
    collector = PgBouncerCollector(clock=clock)
    first = collector.collect(bouncer.admin_url)
    assert first.rates is None
    with bouncer.connect() as link:
        for _ in range(20):
            link.execute("SELECT 1")
    clock.now += 10

    def counted() -> bool:
        """A transaction is counted when PgBouncer has seen its end."""
        found = PgBouncerCollector().collect(bouncer.admin_url).counts
        return found.transactions >= first.counts.transactions + 20

    wait_until(counted, within_s=WITHIN_S, what="all are counted")
    rates = collector.collect(bouncer.admin_url).rates
    assert rates is not None
    assert rates.window_s == 10
    assert rates.transactions_per_s == pytest.approx(2.0)
    assert rates.mean_wait_ms is not None
    clock.now += 10
    still = collector.collect(bouncer.admin_url).rates
    assert still is not None
    assert (still.transactions_per_s, still.mean_wait_ms) == (0.0, None)


def test_one_that_began_again_has_no_rates(bouncer: Bouncer) -> None:
    collector = PgBouncerCollector()
    for _ in range(3):
        bouncer.connect().close()
    with bouncer.connect() as link:
        link.execute("SELECT 1")
    assert collector.collect(bouncer.admin_url).counts.transactions > 0
    bouncer.restart_with((bouncer.folder / "pgbouncer.ini").read_text())
    assert collector.collect(bouncer.admin_url).rates is None


def test_one_that_freezes_is_left_after_two_seconds(bouncer: Bouncer) -> None:
    asked = _while_frozen(bouncer)
    outcome = look(SOURCE, asked)
    assert outcome.sample is None
    assert outcome.took_s < 4


def _while_frozen(bouncer: Bouncer) -> Callable[[], PgBouncerSample]:
    def asked() -> PgBouncerSample:
        process = psutil.Process(bouncer.pid)
        process.suspend()
        try:
            return PgBouncerCollector().collect(bouncer.admin_url)
        finally:
            process.resume()

    return asked


def test_a_failure_tells_no_address_and_no_password(bouncer: Bouncer) -> None:
    url = bouncer.admin_url.replace("/pgbouncer", "/nobody")
    outcome = look(SOURCE, lambda: PgBouncerCollector().collect(url))
    assert outcome.sample is None
    assert outcome.failure
    assert PASSWORD not in outcome.failure
    assert str(bouncer.port) not in outcome.failure


def test_our_role_may_read_and_nothing_else(bouncer: Bouncer) -> None:
    with psycopg.connect(bouncer.admin_url, autocommit=True) as admin:
        with pytest.raises(psycopg.Error, match="admin access needed"):
            admin.execute("SHUTDOWN")
        assert admin.execute("SHOW VERSION").fetchone()


@pytest.mark.django_db(transaction=True)
def test_the_collector_publishes_and_keeps_it_where_its_address_is_set(
    bouncer: Bouncer, settings: Settings
) -> None:
    empty_world.begin()
    collector = Collector("one", queue="a-queue-of-tests")
    try:
        assert SOURCE not in {outcome.source for outcome in collector.turn().outcomes}
        settings.PGBOUNCER_ADMIN_URL = bouncer.admin_url
        [outcome] = [each for each in collector.turn().outcomes if each.source == SOURCE]
        assert outcome.failure == ""
        published = told.read(SOURCE, PgBouncerSample)
        assert published.sample == outcome.sample
    finally:
        collector.stop()


def test_what_is_kept_are_the_sums(bouncer: Bouncer) -> None:
    with bouncer.connect() as link:
        link.execute("SELECT 1")
        sample = PgBouncerCollector().collect(bouncer.admin_url)
    kept = {figure.name: figure.value for figure in figures.of_pgbouncer(sample)}
    assert kept["pgbouncer.clients"] == 1
    assert kept["pgbouncer.waiting"] == kept["pgbouncer.used"] == 0
    assert kept["pgbouncer.transactions"] >= 1
