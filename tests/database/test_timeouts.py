"""A process tells Postgres after how long to end a statement, on connections that are open."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import psycopg
import pytest
from psycopg.errors import QueryCanceled

from console.embedded.cluster import Cluster
from validation import timeouts
from validation.flags import STATEMENT_TIMEOUT
from validation.ledger import Ledger
from validation.timeouts import OF_THE_ROLE, TIMEOUTS, SessionTimeouts, Timeouts
from validation.toggles import TOGGLES


@pytest.fixture
def link(services: Cluster) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(services.dsn, autocommit=True) as opened:
        yield opened


def told(link: psycopg.Connection[Any]) -> tuple[str, str]:
    names = ("statement_timeout", "idle_in_transaction_session_timeout")
    found = [link.execute(f"SHOW {name}").fetchone() for name in names]
    return tuple(row[0] for row in found if row)


def test_the_sources_values_are_told_to_postgres_once(link: psycopg.Connection[Any]) -> None:
    of = SessionTimeouts()
    assert of.obey(link)
    assert told(link) == ("30s", "30s")
    assert not of.obey(link)
    of.set(7500)
    assert of.obey(link)
    assert told(link) == ("7500ms", "1min")
    assert of.in_force == "7500"


def test_postgres_ends_what_takes_longer(link: psycopg.Connection[Any]) -> None:
    short = {30_000: Timeouts(statement_ms=50, idle_in_transaction_ms=1000)}
    with patch.object(timeouts, "TIMEOUTS", short):
        SessionTimeouts().obey(link)
    with pytest.raises(QueryCanceled, match="statement timeout"):
        link.execute("SELECT pg_sleep(5)")
    assert link.execute("SELECT 1").fetchone() == (1,)


def test_in_a_transaction_nothing_is_said_that_a_rollback_would_take_back(
    link: psycopg.Connection[Any],
) -> None:
    of = SessionTimeouts()
    with link.transaction(force_rollback=True):
        link.execute("SELECT 1")
        assert not of.obey(link)
    assert of.obey(link)
    assert told(link)[0] == "30s"


def test_behind_a_pooler_the_role_decides(link: psycopg.Connection[Any]) -> None:
    of = SessionTimeouts()
    with patch.object(timeouts, "is_pooled", return_value=True):
        assert of.obey(link)
    of.set(7500)
    assert not of.obey(link)
    assert (told(link), of.in_force) == (("0", "0"), OF_THE_ROLE)


def test_an_unknown_time_is_refused_and_changes_nothing() -> None:
    of = SessionTimeouts()
    with pytest.raises(ValueError, match="none of 5 ms; one of 7500, 30000"):
        of.set(5)
    assert of.statement_ms == STATEMENT_TIMEOUT.default


def test_every_variant_of_the_flag_is_known() -> None:
    from console.flags.catalogue import BY_KEY  # noqa: PLC0415 - Django's apps are needed

    assert set(BY_KEY[STATEMENT_TIMEOUT.key].variants.values()) == set(TIMEOUTS)
    assert STATEMENT_TIMEOUT.key in TOGGLES


def test_a_workers_one_connection_obeys_when_it_is_next_used(services: Cluster) -> None:
    of = SessionTimeouts()
    ledger = Ledger(lambda: psycopg.connect(services.dsn, autocommit=True), "a-worker", timeouts=of)
    try:
        assert told(ledger.connection)[0] == "30s"
        first = ledger.connection
        of.set(7500)
        assert told(ledger.connection)[0] == "7500ms"
        assert ledger.connection is first
        # One that it makes after a break is told as well.
        first.close()
        assert told(ledger.connection)[0] == "7500ms"
    finally:
        ledger.close()
