"""Prometheus scrapes a whole console by a token, evaluates what is shipped, and is read."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from monitoring.history.expressions import EXPRESSIONS
from monitoring.history.prometheus import Prometheus
from tests.browser.stack import PASSWORD
from tests.prometheus import test_rules as shipped
from tests.prometheus.conftest import ITEMS, Console, until
from tests.prometheus.servers import DAYS, Server, config

# A whole console starts before the first of them.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
# Nobody tells of them: there is no PgBouncer and no replica.
ABSENT = ("pgbouncer.", "postgres.replication_lag")
WEEK_S = 7 * 86_400.0


@pytest.fixture(scope="module")
def scraping(
    living: Console, prometheus: str, promtool: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("prometheus-server")
    secret = folder / "token"
    secret.write_text(living.token)
    server = Server(
        binary=prometheus, promtool=promtool, folder=folder, port=living.prometheus_port
    )
    path = folder / "prometheus.yml"
    path.write_text(config(living.stack.web_port, secret, shipped.SHIPPED / "rules.yml"))
    server.start(path)
    try:
        until(lambda: server.query("up == 1"))
        until(lambda: len(server.query("count_over_time(up[1m]) > 3")))
        yield server
    finally:
        server.stop()


def figure(server: Server, expression: str) -> float:
    (one,) = server.query(expression)
    _, value = one["value"]  # type: ignore[misc]
    return float(value)  # type: ignore[has-type]


def test_what_it_counts_is_what_was_done(living: Console, scraping: Server) -> None:
    assert figure(scraping, "sum(switchyard_validations_total)") == ITEMS
    workers = living.ask("/api/v1/workers").json()
    up = [one for one in workers["workers"] if one["state"] == "up"]
    assert figure(scraping, 'switchyard_workers{state="up"}') == len(up) == 2
    told = living.ask("/api/v1/database").json()["postgres"]["sample"]["server"]
    granted = told["max_connections"] - told["reserved"]
    assert figure(scraping, "switchyard_postgres_connections_max") == granted


def test_every_figure_of_the_history_has_an_answer(scraping: Server) -> None:
    for name, expression in EXPRESSIONS.items():
        found = scraping.query(expression.replace("{step}", "1m").replace("{over}", "avg"))
        assert found or name.startswith(ABSENT), name


def test_it_evaluates_the_rules_that_are_shipped(scraping: Server) -> None:
    until(lambda: all(rule["health"] == "ok" for rule in scraping.loads()))
    rules = scraping.loads()
    assert len(rules) > 30
    firing = [rule["name"] for rule in rules if rule.get("state") == "firing"]
    assert "SwitchyardPostgresDown" not in firing
    assert "SwitchyardWorkersNone" not in firing


def test_it_takes_every_question_of_the_dashboard(scraping: Server) -> None:
    for expression in shipped.expressions().values():
        scraping.query(expression)


def test_all_lines_of_a_page_come_by_one_question(scraping: Server) -> None:
    server = Prometheus(scraping.url)
    try:
        found = server.read(list(EXPRESSIONS), range_s=WEEK_S, until=datetime.now(tz=UTC))
    finally:
        server.close()
    known = [point for point in found["celery.length"].points if point is not None]
    assert len(known) >= DAYS * 60 // 7 - 1
    assert found["celery.length"].highest == 7.0
    assert found["workers.up"].newest == 2.0


def test_a_page_reads_a_week_from_it_and_says_so(living: Console, scraping: Server) -> None:
    with httpx.Client(base_url=living.stack.url, timeout=20) as client:
        client.get("/sign-in/")
        form = {"username": "the-viewer", "password": PASSWORD}
        form["csrfmiddlewaretoken"] = client.cookies["csrftoken"]
        client.post("/sign-in/", data=form)
        week, hour = (client.get("/workers/", params={"range": r}).text for r in ("7d", "1h"))
    assert "from Prometheus and Postgres" in week
    assert "from Postgres" in hour
    assert "from Prometheus" not in hour
    said = re.search(r'<script id="charts-data" type="application/json">(.*?)</script>', week)
    assert said
    lines = {line["title"]: line["points"] for line in json.loads(said[1])["lines"]}
    known = [point for point in lines["Wake-ups queued"] if point is not None]
    assert known[:20] == [7.0] * 20
