"""What a worker asks of Postgres, behind PgBouncer: claims, leases, results, slots, and no room."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import psycopg
import pytest

from console.embedded.cluster import Cluster
from console.pgbouncer import Mode
from monitoring.pooler import is_pooled
from tests.fleet import wait_until
from tests.pgbouncer.bouncer import Bouncer
from tests.runs.conftest import outcomes, start  # noqa: F401 - start is a fixture
from validation.heeding import DATABASE_AWAY
from validation.ledger import Ledger
from validation.models import Result, Run
from validation.slots import Slots

type Bounce = Callable[..., Bouncer]
type Start = Callable[..., Run]


@pytest.fixture
def ledgers(bounce: Bounce) -> Iterator[Callable[[Bouncer], list[Ledger]]]:
    with ExitStack() as stack:

        def make(bouncer: Bouncer) -> list[Ledger]:
            """More than there are connections."""
            made = [Ledger(bouncer.connect, f"worker-{n}", restart_grace_s=0) for n in range(4)]
            for ledger in made:
                stack.callback(ledger.close)
            return made

        yield make


@pytest.mark.parametrize("mode", Mode)
def test_a_pooler_is_told_from_postgres(bounce: Bounce, services: Cluster, mode: Mode) -> None:
    with bounce(mode).connect() as through, psycopg.connect(services.dsn) as direct:
        assert is_pooled(through)
        assert not is_pooled(direct)


def test_workers_take_turns_on_fewer_connections_than_they_are(
    bounce: Bounce,
    start: Start,  # noqa: F811 - the fixture
    ledgers: Callable[[Bouncer], list[Ledger]],
) -> None:
    bouncer = bounce(pool=2)
    run = start(2_000)
    workers = ledgers(bouncer)
    claims = [worker.claim() for worker in workers]
    held = [claim for claim in claims if claim is not None]
    assert len({claim.chunk for claim in held}) == len(workers)
    # Whichever session it is lent, the lease is the claim's and goes by the fence.
    assert all(worker.renew(claim) for worker, claim in zip(workers, held, strict=True))
    with bouncer.sessions() as both:  # moves the connections on
        assert len(both) == 2
    for worker, claim in zip(workers, held, strict=True):
        assert worker.settle(claim, outcomes(claim))
        assert not worker.settle(claim, outcomes(claim)), "its fence is spent"
    assert Result.objects.filter(run=run).count() == sum(len(c.subjects) for c in held)
    assert len(bouncer.show("SERVERS")) <= 2


def test_slots_are_given_once_each(bounce: Bounce) -> None:
    """The lock under which they are taken is the transaction's."""
    bouncer = bounce(pool=2)
    with ExitStack() as stack:
        links = [stack.enter_context(closing(bouncer.connect())) for _ in range(5)]
        numbers = set()
        for n, link in enumerate(links):
            slots = Slots("behind", f"holder-{n}")
            slots.beat(link)
            assert slots.standing is not None
            numbers.add(slots.standing.number)
    assert numbers == set(range(5))


def test_a_worker_that_gets_no_connection_says_the_database_is_away_and_goes_on_after_it(
    bounce: Bounce,
    start: Start,  # noqa: F811 - the fixture
    ledgers: Callable[[Bouncer], list[Ledger]],
) -> None:
    bouncer = bounce(pool=1, waits_s=1)
    start(10)
    worker = ledgers(bouncer)[0]
    with bouncer.sessions():
        began = time.monotonic()
        with pytest.raises(DATABASE_AWAY):
            worker.claim()
        assert time.monotonic() - began < 5
    assert worker.claim() is not None


@pytest.mark.slow
def test_after_a_restart_of_postgres_the_first_statement_succeeds_within_two_seconds(
    pgbouncer: str, durable_cluster: Cluster
) -> None:
    """PgBouncer's own pause after a failed login would be 15 s."""
    made = Bouncer(binary=pgbouncer, cluster=durable_cluster, mode=Mode.TRANSACTION, pool=2)
    took_s = list[float]()
    with made as bouncer:

        def answers() -> bool:
            try:
                with closing(bouncer.connect()) as again:
                    return again.execute("SELECT 1").fetchone() == (1,)
            except psycopg.OperationalError:
                return False

        while len(took_s) < 3 and min(took_s, default=9.0) > 2.0:  # the machine may stall in one
            durable_cluster.postgres.stop()
            for _ in range(2):  # it has met its absence, and pauses
                with pytest.raises(psycopg.OperationalError):
                    bouncer.connect().execute("SELECT 1")
            durable_cluster.postgres.start()
            began = time.monotonic()
            wait_until(answers, within_s=30, what="a statement succeeds")
            took_s.append(time.monotonic() - began)
    assert min(took_s) <= 2.0, took_s
