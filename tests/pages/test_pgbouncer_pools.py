"""PgBouncer on the Pools page: its pools, its silence, and no word where there is none."""

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import Settings

from monitoring import valkey
from monitoring.collectors import told
from monitoring.collectors.outcome import Outcome
from monitoring.collectors.pgbouncer import SOURCE, Counts, PgBouncerSample, Pool, Rates
from tests.pages.conftest import Page

type See = Callable[..., Page]

POOL = Pool(
    database="switchyard", user="app", mode="transaction", used=20, idle=0, max=20,
    clients=61, waiting=7, max_wait_s=3.2,
)  # fmt: skip
SAMPLE = PgBouncerSample(
    version="1.18.0",
    clients_max=180,
    pools=(POOL,),
    counts=Counts(transactions=900, queries=1_200, wait_us=5_000_000),
    rates=Rates(window_s=10.0, transactions_per_s=42.0, queries_per_s=60.0, mean_wait_ms=12.0),
)


@pytest.fixture(autouse=True)
def named(settings: Settings) -> None:
    settings.PGBOUNCER_ADMIN_URL = "postgresql://app:hush@bouncer:6432/pgbouncer"
    valkey.client().flushdb()


def publish(sample: PgBouncerSample | None, failure: str = "") -> None:
    told.publish(Outcome(source=SOURCE, took_s=0.01, sample=sample, failure=failure))


def test_who_waits_and_of_how_many_connections(viewer: Client, see: See) -> None:
    publish(SAMPLE)
    page = see(viewer, "/pools/")
    assert "1.18.0, 61 of 180 clients, transactions 42.0/s, mean wait 12 ms" in page.text
    assert "switchyard, app 20 + 0 / 20 7 61 3.2 s transaction" in page.text
    assert "connections 100 percent" in page.html
    assert "hush" not in page.html


def test_its_silence_stands_beside_what_was_known(viewer: Client, see: See) -> None:
    publish(SAMPLE)
    publish(None, "It cannot be reached, or the connection was cut.")
    text = see(viewer, "/pools/").text
    assert "PgBouncer does not answer the collector. It cannot be reached" in text
    assert "What follows is older." in text
    assert "switchyard, app" in text


def test_before_the_first_look_it_says_so(viewer: Client, see: See) -> None:
    assert "Nothing is known yet" in see(viewer, "/pools/").text


def test_valkey_away_is_no_word_about_pgbouncer(
    viewer: Client, see: See, settings: Settings
) -> None:
    valkey.client.cache_clear()
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    try:
        assert "PgBouncer may be well all the same" in see(viewer, "/pools/").text
    finally:
        valkey.client.cache_clear()


def test_where_there_is_none_it_is_not_named(viewer: Client, see: See, settings: Settings) -> None:
    settings.PGBOUNCER_ADMIN_URL = ""
    publish(SAMPLE)
    assert "PgBouncer" not in see(viewer, "/pools/").text
