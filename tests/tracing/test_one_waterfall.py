"""A run is one trace: the request, the wake-up, its chunks, and of each item what it waited for."""

import http.client
import json
import time
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.db import connection

from console.access.tokens import create_token
from console.embedded.cluster import Cluster
from tests.fleet import Fleet, free_port, wait_until
from tests.tracing.collector import Collector, Told
from validation.devnode.chain import Chain
from validation.models import Result, Run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(180)]

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector().listening() as listening:
        yield listening


def fleet(services: Cluster, endpoint: str) -> Fleet:
    name = connection.settings_dict["NAME"]
    told = {
        "DATABASE_URL": services.dsn.replace("/switchyard?", f"/{name}?"),
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    return Fleet(cluster=services, environment=told)


def start(port: int, token: str, items: list[str], *, sampled: bool = True) -> int:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    flags = "01" if sampled else "00"
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "traceparent": f"00-{TRACE}-00f067aa0ba902b7-{flags}",
    }
    link.request("POST", "/api/v1/runs", json.dumps({"items": items, "level": 2}), headers)
    answer = link.getresponse()
    said = json.loads(answer.read())
    link.close()
    assert answer.status == 202, said
    return int(said["id"])


def finished(run: int) -> bool:
    return Run.objects.filter(pk=run, state="done").exists()


def told(collector: Collector, trace: str = TRACE) -> set[str]:
    return {span.name for span in collector.of(trace)}


def answered(part: Told) -> bool:
    """The node was asked, for it or for another item; or a cache knew, from a test before."""
    known = part.name == "l1" and part.said.get("switchyard.note") == "hit"
    return known or part.name in {"attempt", "shared", "l2"}


def within(inner: Told, outer: Told, *, by_ms: float = 50.0) -> bool:
    """Two processes of one machine: their clocks agree to a few milliseconds."""
    slack = by_ms * 1e6
    return outer.began - slack <= inner.began and inner.ended <= outer.ended + slack


def test_from_the_request_to_each_answer_of_the_node(
    services: Cluster, collector: Collector
) -> None:
    subjects = [f"tx:{value}" for value in Chain.load().transactions[:5]]
    with fleet(services, collector.url) as running:
        port = running.start_web()
        _, token = create_token(User.objects.create_superuser("ada"), "traced", "admin")
        run = start(port, token, [*subjects, f"tx:0x{'0' * 63}1"])
        wait_until(lambda: finished(run), within_s=30, what="the run ends")
        wait_until(
            lambda: {"POST start", "chunk", "validate tx", "attempt", "wake-up"} <= told(collector),
            within_s=20, what=f"all of it is told, beside {told(collector)}",
        )  # fmt: skip
        unsampled = start(port, token, subjects[:1], sampled=False)
        wait_until(lambda: finished(unsampled), within_s=30, what="a run nobody traces")
    spans = {span.id: span for span in collector.of(TRACE)}
    by_name = {name: [s for s in spans.values() if s.name == name] for name in told(collector)}
    (request,) = by_name["POST start"]
    assert request.parent == "00f067aa0ba902b7"
    assert (request.role, request.said["http.response.status_code"]) == ("web", 202)
    assert {span.parent for span in by_name["chunk"]} == {request.id}
    assert {span.role for span in by_name["chunk"]} == {"worker"}
    assert {span.said["switchyard.run"] for span in by_name["chunk"]} == {run}
    assert all(span.parent == request.id for span in by_name["wake-up"])
    items = {str(span.said["switchyard.subject"]): span for span in by_name["validate tx"]}
    assert {*subjects} < {*items}
    assert {spans[item.parent].name for item in items.values()} == {"chunk"}
    for result in Result.objects.filter(run_id=run):
        item = items[result.subject]
        assert item.said["switchyard.verdict"] == result.verdict
        assert within(item, spans[item.parent])
        parts = [span for span in spans.values() if span.parent == item.id]
        assert any(answered(part) for part in parts), parts
        assert all(within(part, item) for part in parts)


def test_a_run_begun_at_a_terminal_is_one_trace_too(
    services: Cluster, collector: Collector
) -> None:
    subjects = [f"tx:{value}" for value in Chain.load().transactions[:2]]
    with fleet(services, collector.url) as running:
        running.manage("validate", *subjects)
        trace = Run.objects.get().traceparent.split("-")[1]
        wait_until(
            lambda: {"validate", "chunk", "validate tx"} <= told(collector, trace),
            within_s=20, what=f"all of it is told, beside {told(collector, trace)}",
        )  # fmt: skip
    (command,) = (span for span in collector.of(trace) if span.name == "validate")
    assert (command.parent, command.role) == ("", "cli")
    chunks = [span for span in collector.of(trace) if span.name == "chunk"]
    assert {span.parent for span in chunks} == {command.id}


def test_a_collector_that_is_away_costs_no_item_and_no_time_at_the_end(
    services: Cluster,
) -> None:
    subjects = [f"tx:{value}" for value in Chain.load().transactions[:3]]
    with fleet(services, f"http://127.0.0.1:{free_port()}") as running:
        port = running.start_web()
        _, token = create_token(User.objects.create_superuser("ada"), "untold", "admin")
        run = start(port, token, subjects)
        wait_until(lambda: finished(run), within_s=30, what="the run ends")
        began = time.monotonic()
        running.stop_worker()
        # Exporters would try for minutes; a machine that stalls takes seconds for the rest of it.
        assert time.monotonic() - began < 30
    assert Result.objects.filter(run_id=run, verdict="valid").count() == 3
