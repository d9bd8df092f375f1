"""What the console makes of a Prometheus that is silent, away, ill or knows nothing."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from unittest.mock import patch
from urllib.parse import parse_qs

import pytest
from django.conf import settings
from django.test import override_settings

from console import env
from monitoring.history import looking, prometheus, reading
from monitoring.history.expressions import EXPRESSIONS
from monitoring.history.prometheus import Prometheus, Unanswered
from monitoring.history.reading import Series
from tests.prometheus.names import known, named

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
DAY_S = 86_400.0
NAME = "celery.length"


class Fake:
    """Answers each question with `status`, `headers` and `body`; keeps the forms it was sent."""

    def __init__(self, status: int, body: str, headers: Mapping[str, str]) -> None:
        self.forms: list[dict[str, list[str]]] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                fake.forms.append(parse_qs(self.rfile.read(size).decode()))
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://user:secret@127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.05])
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def serving(status: int, body: str, **headers: str) -> Iterator[Fake]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    fake = Fake(status, body, named)
    try:
        yield fake
    finally:
        fake.close()


@pytest.fixture
def asking() -> Iterator[Callable[..., Prometheus]]:
    made: list[Prometheus] = []

    def make(url: str, **options: object) -> Prometheus:
        made.append(Prometheus(url, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.close()


def ask(server: Prometheus, *names: str) -> dict[str, Series]:
    return dict(server.read(names or (NAME,), range_s=DAY_S, until=NOW, points=4))


def answer(*results: tuple[str, str, list[tuple[float, str]]]) -> str:
    found = [{"metric": {"figure": n, "kind": k}, "values": v} for n, k, v in results]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": found}})


def test_gaps_are_gaps_and_what_is_no_number_is_not_known(
    asking: Callable[..., Prometheus],
) -> None:
    ends = NOW.timestamp()
    step = DAY_S / 4
    values = [(ends - 3 * step, "5"), (ends - step, "NaN"), (ends, "7.5")]
    body = answer((NAME, "mean", values), (NAME, "high", [(ends, "9")]))
    with serving(200, body) as fake:
        found = ask(asking(fake.url), NAME, "rpc.all")
    assert found[NAME].points == (5.0, None, None, 7.5)
    assert found[NAME].highest == 9.0
    assert found["rpc.all"].points == (None,) * 4
    (form,) = fake.forms
    assert float(form["end"][0]) - float(form["start"][0]) == 3 * step
    assert "max(avg_over_time(switchyard_queue_messages[21600s]))" in form["query"][0]
    assert "sum(rate(switchyard_rpc_requests_total[21600s]))" in form["query"][0]


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, "<html>", "What answers at PROMETHEUS_URL is no Prometheus."),
        (200, '{"status": "success"}', "What answers at PROMETHEUS_URL is no Prometheus."),
        (401, "{}", "Prometheus refused the question (status 401)."),
        (302, "", "Prometheus refused the question (status 302)."),
        (503, '{"error": "query timed out"}', "Prometheus refused the question (status 503)."),
    ],
)
def test_an_ill_answer_is_told_in_words(
    asking: Callable[..., Prometheus], status: int, body: str, words: str
) -> None:
    with serving(status, body) as fake, pytest.raises(Unanswered) as caught:
        ask(asking(fake.url))
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("body", "headers", "words"),
    [
        ('{"data"', {"Content_Length": "5000"}, "Prometheus began an answer that cannot be read."),
        (
            "no gzip",
            {"Content_Encoding": "gzip"},
            "Prometheus began an answer that cannot be read.",
        ),
        (answer((NAME, "mean", [(NOW.timestamp(), "abc")])), {}, "is no Prometheus."),
        (" " * 4_000_001, {}, "Prometheus answered more than 4 MB."),
    ],
    ids=["cut", "not gzip", "no number", "too large"],
)
def test_an_answer_that_breaks_off_is_told_in_words_and_not_asked_for_again_at_once(
    asking: Callable[..., Prometheus], body: str, headers: dict[str, str], words: str
) -> None:
    with serving(200, body, **headers) as fake:
        server = asking(fake.url)
        for _ in range(2):
            with pytest.raises(Unanswered) as caught:
                ask(server)
            assert str(caught.value).endswith(words)
        assert len(fake.forms) == 1


def test_one_that_is_away_is_told_without_its_address(asking: Callable[..., Prometheus]) -> None:
    with pytest.raises(Unanswered) as caught:
        ask(asking("http://user:secret@127.0.0.1:9/"))
    assert str(caught.value) == "Prometheus cannot be reached."


def test_a_silent_one_holds_nobody_up_and_is_asked_again_later(
    asking: Callable[..., Prometheus],
) -> None:
    clock, took_s = [100.0], list[float]()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        server = asking(f"http://127.0.0.1:{silent.getsockname()[1]}", clock=lambda: clock[0])
        while len(took_s) < 3 and min(took_s, default=9.0) >= 3.0:  # the machine may stall in one
            started = time.monotonic()
            with pytest.raises(Unanswered, match="within 2 s"):
                ask(server)
            took_s.append(time.monotonic() - started)
            silent.accept()[0].close()
            with pytest.raises(Unanswered, match="within 2 s"):
                ask(server)
            with pytest.raises(BlockingIOError):  # nobody came
                silent.accept()
            clock[0] += 11
    assert min(took_s) < 3.0, took_s
    with pytest.raises(Unanswered, match="cannot be reached"):
        ask(server)


def look(range_s: float, *names: str) -> looking.Looked:
    return looking.look(names or (NAME,), range_s=range_s, until=NOW, now=NOW, points=4)


def kept(names: list[str], *, points: int, **_: object) -> dict[str, Series]:
    """What Postgres would say: 1 in each step."""
    return {
        name: Series(name=name, step_s=1.0, points=(1.0,) * points, highest=1.0) for name in names
    }


@pytest.fixture
def prometheus_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    monkeypatch.setattr(reading, "read", kept)
    prometheus.at.cache_clear()
    used = override_settings(PROMETHEUS_URL="")
    used.enable()

    def point(url: str) -> None:
        settings.PROMETHEUS_URL = url

    yield point
    used.disable()
    prometheus.at.cache_clear()


def test_only_long_ranges_are_asked_of_prometheus(prometheus_at: Callable[[str], None]) -> None:
    with serving(200, answer((NAME, "mean", [(NOW.timestamp(), "3")]))) as fake:
        assert look(DAY_S).source == "Postgres"
        prometheus_at(fake.url)
        assert look(6 * 3_600.0).source == "Postgres"
        assert fake.forms == []
        found = look(DAY_S)
    assert (found.source, found.failure) == ("Prometheus", "")
    assert found.series[NAME].points == (None, None, None, 3.0)


def test_what_prometheus_does_not_know_is_postgres_s(prometheus_at: Callable[[str], None]) -> None:
    with serving(200, answer((NAME, "mean", [(NOW.timestamp(), "3")]))) as fake:
        prometheus_at(fake.url)
        found = look(DAY_S, NAME, "rpc.all", "chunks.ready")
    assert found.source == "Prometheus and Postgres"
    assert found.series[NAME].newest == 3.0
    assert found.series["rpc.all"].points == found.series["chunks.ready"].points == (1.0,) * 4


def test_without_an_answer_it_is_postgres_and_said_so(prometheus_at: Callable[[str], None]) -> None:
    prometheus_at("http://user:secret@127.0.0.1:9/")
    found = look(DAY_S)
    assert (found.source, found.failure) == ("Postgres", "Prometheus cannot be reached.")
    assert found.series[NAME].points == (1.0,) * 4


def test_both_sources_come_in_the_same_steps(prometheus_at: Callable[[str], None]) -> None:
    """Of a day three weeks ago Postgres has hours."""
    with serving(200, answer((NAME, "mean", [(NOW.timestamp(), "3")]))) as fake:
        prometheus_at(fake.url)
        found = looking.look(
            [NAME, "chunks.ready"], range_s=DAY_S, until=NOW, now=NOW + timedelta(days=21)
        )
    assert len(found.series[NAME].points) == len(found.series["chunks.ready"].points) == 24


def test_expressions_name_metrics_that_there_are() -> None:
    for name, expression in EXPRESSIONS.items():
        assert named(expression) <= known(), name


def test_a_bad_address_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("prometheus:9090", "http://", "ftp://prometheus", "http://a:70000"):
        monkeypatch.setenv("PROMETHEUS_URL", value)
        with patch.object(env, "refuse", side_effect=SystemExit) as refused:
            with pytest.raises(SystemExit):
                env.web_address("PROMETHEUS_URL")
            assert refused.call_args.args[:2] == ("PROMETHEUS_URL", "…")
    monkeypatch.setenv("PROMETHEUS_URL", "https://me:secret@prometheus.example.com/prom")
    assert env.web_address("PROMETHEUS_URL").startswith("https://me:")
