"""Whose connections a storm finds in Postgres afterwards, where PgBouncer stands before it."""

import psycopg
import pytest
from pytest_django import Settings

from console.embedded.cluster import Cluster
from console.loadtests import connection_storm
from console.loadtests.criteria import CannotRun
from tests.pgbouncer.conftest import Bounce

_WEB = "switchyard web"


def test_what_pgbouncer_lends_is_its_own_and_what_passes_it_by_is_not(
    bounce: Bounce, services: Cluster, settings: Settings
) -> None:
    bouncer = bounce(pool=2)
    settings.PGBOUNCER_ADMIN_URL = bouncer.admin_url
    with psycopg.connect(bouncer.url, application_name=_WEB, prepare_threshold=None) as lent:
        lent.execute("SELECT 1")
        found = connection_storm.seen()
        assert (found.pooled, found.others, found.in_transaction) == (1, 0, 1)
        lent.rollback()
        direct = services.postgres.url_of(bouncer.database)
        with psycopg.connect(direct, application_name=_WEB, autocommit=True):
            found = connection_storm.seen()
        assert (found.pooled, found.others, found.in_transaction) == (1, 1, 0)


def test_a_pgbouncer_that_does_not_answer_ends_the_test_in_words(
    settings: Settings, db: None
) -> None:
    settings.PGBOUNCER_ADMIN_URL = "postgresql://user:secret@127.0.0.1:9/pgbouncer"
    with pytest.raises(CannotRun) as refused:
        connection_storm.seen()
    assert str(refused.value) == "PgBouncer does not answer: OperationalError."
