"""Pools: what the fleet uses of each node and may use, in sum and by worker."""

import json
from collections.abc import Callable
from unittest.mock import patch

import pytest
from django.test import Client

from monitoring import valkey
from tests.made_up_fleet import POOL, a_pool, a_troubled_fleet, a_worker, publish
from tests.pages.conftest import Page

See = Callable[..., Page]


def test_the_sum_and_each_worker(viewer: Client, see: See) -> None:
    publish(*a_troubled_fleet(4))
    text = see(viewer, "/pools/").text
    for said in (
        "203 of 188 that the limiters let through",
        "Fleet sum 203 / 188 of 256 440 12 + 4 / 32",
        "4701@rack-4 60 / 30 of 64 220",
        "4703@rack-4 41 / 64 0",
        "limiter adaptive, fixed",
        "node_timeout 48",
    ):
        assert said in text, said


def test_a_budget_is_the_fleets_and_not_a_sum(viewer: Client, see: See) -> None:
    publish(*(a_worker(n, pools=(a_pool(rate_limit=500.0),)) for n in (1, 2)))
    assert "budget 500/s for the whole fleet" in see(viewer, "/pools/").text


def test_who_fell_silent_is_shown_but_not_summed(viewer: Client, see: See) -> None:
    publish(a_worker(1), a_worker(2))
    valkey.client().pexpire("switchyard:worker:rack-4:4702", 580_000)
    text = see(viewer, "/pools/").text
    assert "Fleet sum 41 / 64" in text
    assert "· stale" in text


def test_nothing_waited_is_no_zero(viewer: Client, see: See) -> None:
    publish(a_worker(pools=(a_pool(wait_p50_ms=None, wait_p95_ms=None, score=None),)))
    assert "3 + 1 / 8 – – 8.3 ms 23 ms" in see(viewer, "/pools/").text


@pytest.mark.parametrize(
    ("workers", "said"),
    [((), "No worker reports"), ((a_worker(pools=()),), "No pool yet")],
)
def test_the_kinds_of_nothing(
    viewer: Client, see: See, workers: tuple[object, ...], said: str
) -> None:
    publish(*workers)  # type: ignore[arg-type]
    page = see(viewer, "/pools/")
    assert said in page.text
    assert "no data" in page.text


def test_valkey_away_is_said(viewer: Client, see: See) -> None:
    with patch("monitoring.snapshots.workers", return_value=None):
        assert "Valkey unreachable" in see(viewer, "/pools/").text
        assert viewer.get("/pools/?format=json").status_code == 503


def test_the_table_as_a_file(viewer: Client) -> None:
    publish(*a_troubled_fleet(2))
    rows = json.loads(b"".join(viewer.get("/pools/?format=json")))
    assert [(row["pool"], row["worker"], row["waiting"]) for row in rows] == [
        (POOL, "rack-4:4701", 220),
        (POOL, "rack-4:4702", 220),
    ]
    body = b"".join(viewer.get("/pools/?format=csv")).decode()
    assert "node_error=3 node_timeout=12" in body
