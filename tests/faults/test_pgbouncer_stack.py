"""`make up PGBOUNCER=1`: who goes through PgBouncer, who around it, and what is refused."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from console.embedded import pgbouncer as embedded
from console.embedded.cluster import Cluster
from console.embedded.errors import EmbeddedError
from console.embedded.pgbouncer import PgBouncer
from console.embedded.stack import Stack
from console.pgbouncer import Fleet
from monitoring.pooler import is_pooled
from tests.embedded.test_stack import Rehearsal
from tests.services import ROOT

FLEET = Fleet(workers=1, web=1, pool=4)


def _stack(var: Path, **given: str) -> Stack:
    return Stack(
        root=ROOT, var=var, host="127.0.0.1", port=8000, workers=3, given=given, is_pooled=True
    )


async def _rehearsed(stack: Stack) -> Rehearsal:
    Cluster.under(stack.var).postgres.data.mkdir(exist_ok=True)
    supervisor = Rehearsal()
    await stack.begin(supervisor)
    return supervisor


async def test_programs_go_through_it_and_migrations_around_it(
    pgbouncer: str, tmp_path: Path
) -> None:
    assert pgbouncer
    started = await _rehearsed(_stack(tmp_path))
    assert started.servers[-1] == "pgbouncer"
    direct = Cluster.under(tmp_path).postgres.url
    web = started.programs["web"].environment
    assert web["DATABASE_URL"] != direct
    assert web["DATABASE_OWNER_URL"] == direct
    assert "/pgbouncer?" in web["PGBOUNCER_ADMIN_URL"]
    assert started.programs["setup"].environment["DATABASE_URL"] == direct
    assert f"DATABASE_URL={web['DATABASE_URL']}\n" in (tmp_path / "stack.env").read_text()


async def test_a_database_of_the_operators_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"PGBOUNCER=1 .* DATABASE_URL is set"):
        await _rehearsed(_stack(tmp_path, DATABASE_URL="postgresql://db.example/x"))


async def test_a_machine_without_it_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_FOLDERS", str(tmp_path))
    with pytest.raises(EmbeddedError, match="apt-get install pgbouncer"):
        await _rehearsed(_stack(tmp_path))


@pytest.fixture
def lent(services: Cluster) -> Iterator[Cluster]:
    """The session's servers, whose role others find as it was."""
    yield services
    with psycopg.connect(services.postgres.url, autocommit=True) as owner:
        owner.execute("ALTER ROLE CURRENT_USER RESET ALL")


@pytest.mark.usefixtures("pgbouncer")
def test_it_lends_connections_of_the_postgres_behind_it(lent: Cluster) -> None:
    bouncer = PgBouncer(lent.places, lent.postgres, FLEET, 200)
    bouncer.start()
    try:
        with psycopg.connect(bouncer.url, autocommit=True, prepare_threshold=None) as through:
            assert is_pooled(through)
            assert through.execute("SELECT current_user").fetchone() == ("switchyard",)
        with psycopg.connect(bouncer.environment["PGBOUNCER_ADMIN_URL"], autocommit=True) as admin:
            rows = admin.execute(b"SHOW CONFIG").fetchall()
        config = {row[0]: row[1] for row in rows}
        assert int(config["default_pool_size"]) == FLEET.clients
        assert config["listen_addr"] in {"", None}, "no port of the machine is open"
    finally:
        bouncer.stop()


@pytest.mark.usefixtures("pgbouncer")
def test_a_fleet_that_cannot_fit_is_refused(lent: Cluster) -> None:
    bouncer = PgBouncer(lent.places, lent.postgres, Fleet(workers=1, web=1, pool=900), 100)
    with pytest.raises(EmbeddedError, match=r"PGBOUNCER=1: The fleet opens \d+ connections"):
        bouncer.start()
