"""What a person and a program read while the database cannot be asked, by the cause."""

from unittest.mock import patch

import pytest
from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from psycopg.errors import AdminShutdown, DeadlockDetected, QueryCanceled, TooManyConnections
from psycopg_pool import PoolTimeout, TooManyRequests

from console import errors, urls
from console.access.remembered import REMEMBERED
from console.postgres.outage import DatabaseAway
from tests.made_up_fleet import LOOKUP, a_breaker, a_worker, publish
from tests.pages.conftest import (  # noqa: F401 - fixtures, by name
    Page,
    clients,
    no_workers,
    people,
    static_root,
)

CAUSES: dict[str, tuple[Exception | None, str]] = {
    "away": (DatabaseAway("canary"), "The database does not answer"),
    "ended": (AdminShutdown("canary"), "The database does not answer"),
    "no-room": (TooManyConnections("canary"), "The database does not answer"),
    "unknown": (None, "The database does not answer"),
    "taken": (PoolTimeout("canary"), "Too many ask at once"),
    "crowd": (TooManyRequests("canary"), "Too many ask at once"),
    "slow": (QueryCanceled("canary"), "This took too long"),
    "deadlock": (DeadlockDetected("canary"), "Too busy, or a server is away"),
}


def fail(_request: HttpRequest, cause: str) -> HttpResponse:
    raise OperationalError("canary") from CAUSES[cause][0]


urlpatterns = [path("fail/<cause>", fail), path("api/fail/<cause>", fail), *urls.urlpatterns]
handler500 = errors.server_error

pytestmark = [pytest.mark.urls("tests.database.test_away_page"), pytest.mark.django_db]


def asked(client: Client, address: str, method: str = "get") -> Page:
    client.raise_request_exception = False
    answer = getattr(client, method)(address)
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert answer["Cache-Control"] == "no-store"
    assert settings.SESSION_COOKIE_NAME not in answer.cookies
    return Page(answer.content.decode())


@pytest.mark.parametrize("cause", sorted(CAUSES))
def test_the_page_says_what_it_was(clients: dict[str, Client], cause: str) -> None:  # noqa: F811
    page = asked(clients["viewer"], f"/fail/{cause}?range=1h")
    assert CAUSES[cause][1] in page.text
    assert "canary" not in page.html
    assert f"/fail/{cause}?range=1h" in page.hrefs()


@pytest.mark.parametrize("cause", sorted(CAUSES))
def test_a_program_is_told_as_well(clients: dict[str, Client], cause: str) -> None:  # noqa: F811
    problem = asked(clients["viewer"], f"/api/fail/{cause}").html
    assert "canary" not in problem
    assert ("does not answer" in problem) == ("does not answer" in CAUSES[cause][1])


def test_what_was_sent_may_not_be_kept(clients: dict[str, Client]) -> None:  # noqa: F811
    page = asked(clients["viewer"], "/fail/away", "post")
    assert "What you sent may not be kept" in page.text
    assert "/fail/away" not in page.hrefs()


def test_whom_it_knows_it_tells_of_workers_and_breakers(
    clients: dict[str, Client],  # noqa: F811
) -> None:
    open_one = a_breaker(LOOKUP, "open")
    publish(a_worker(1, breakers=(open_one, a_breaker("l2"))), a_worker(2, breakers=(open_one,)))
    page = asked(clients["viewer"], "/fail/away")
    assert "Workers: 2 up, 0 stale" in page.text
    assert f"of 2, these are not closed: {LOOKUP} open on 2 workers" in page.text


def test_nobody_else_learns_of_the_fleet(clients: dict[str, Client]) -> None:  # noqa: F811
    publish(a_worker(1))
    browser = clients["viewer"]
    with patch.object(REMEMBERED, "knows", return_value=False):
        assert "What is known without it" not in asked(browser, "/fail/away").text


def test_valkey_away_as_well_is_said(clients: dict[str, Client]) -> None:  # noqa: F811
    with patch("monitoring.snapshots.workers", return_value=None):
        assert "cache server does not answer either" in asked(clients["viewer"], "/fail/away").text
