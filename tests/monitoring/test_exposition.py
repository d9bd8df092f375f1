"""What a scraper reads: the contract's names, in both formats, and nothing that is not known."""

import re
import subprocess
import tomllib
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text

from monitoring import exposition, instruments
from monitoring.processes import ProcessSnapshot
from monitoring.samples import Sample
from monitoring.snapshots import (
    BreakerReport,
    CacheReport,
    MemoryReport,
    NodeReport,
    PoolReport,
    WorkerSnapshot,
)
from monitoring.totals import Reading
from tests.services import ROOT

type Parser = Callable[[str], Iterable[Metric]]

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
# CONTRACT: Metrics, as far as the console measures them by now.
COUNTED = """
    breaker_calls_total{breaker,outcome} breaker_transitions_total{breaker,from,to}
    pool_wait_seconds{pool} cache_requests_total{level,result} rpc_requests_total{method,outcome}
    rpc_duration_seconds{method} rpc_batch_size{} rpc_retries_total{reason} rpc_shared_total{}
    validations_total{kind,verdict} validation_duration_seconds{kind} queue_wait_seconds{}
    http_request_duration_seconds{route,status}
""".split()  # noqa: SIM905 - as the contract writes them
MEASURED = """
    breaker_state{breaker,state} pool_connections{pool,state} pool_connections_max{pool}
    cache_entries{level} cache_bytes{level} rpc_in_flight{} workers{state}
    process_resident_memory_bytes{process} build_info{django,python,version}
""".split()  # noqa: SIM905 - as above


def breaker(state: str, name: str = "l2") -> BreakerReport:
    return BreakerReport(
        name=name, state=state, computed="closed", failure_rate=None, slow_rate=None, calls=0,
        failures=0, slow=0, rejected=0, trips=0, retry_in_s=None, p50_ms=None, p95_ms=None,
    )  # fmt: skip


def pool(used: int, idle: int, most: int) -> PoolReport:
    return PoolReport(
        pool="node:8545", used=used, idle=idle, max=most, in_flight=0, waiting=0, limit=1,
        limit_max=1, limiter="fixed",
    )  # fmt: skip


def worker(name: str = "host:1", **changed: Any) -> WorkerSnapshot:
    fields: dict[str, Any] = {
        "id": name, "host": "host", "pid": 1, "started_at": 0.0, "busy": False, "run": None,
        "items_done": 5, "chunks_done": 1, "rate": 2.5, "rss_bytes": 1,
    }  # fmt: skip
    return WorkerSnapshot(**(fields | changed))


BUSY = worker(
    breakers=(breaker("closed"),),
    pools=(pool(3, 1, 8),),
    cache=CacheReport(policy="lru", entries=7, bytes=700, max_entries=10, max_bytes=1000),
    node={"in_flight": 4},
    memory=MemoryReport(guard="on", level="ok", used_bytes=1, limit_bytes=2),
    nodes=(
        NodeReport(
            label="node:8545",
            in_service=True,
            head=7,
            lag=0,
            latency_p50_ms=4.0,
            latency_p95_ms=20.0,
        ),
    ),
)
PROCESS = ProcessSnapshot(
    incarnation="host:1:1", kind="web", sequence=1,
    gauges=(Sample("switchyard_process_resident_memory_bytes", {"process": "web"}, 1000),),
)  # fmt: skip


def reading(*counters: Sample, **changed: Any) -> Reading:
    fields: dict[str, Any] = {
        "counters": counters, "live": (PROCESS,), "lost": {}, "sources": {"valkey": True},
    }  # fmt: skip
    return Reading(**(fields | changed))


def parsed(
    told: Reading, workers: list[WorkerSnapshot] | None, *, om: bool = False
) -> list[Metric]:
    body, _ = exposition.render(told, workers, accept=OPENMETRICS if om else "")
    parse: Parser = openmetrics if om else text
    return list(parse(body.decode()))


def values(families: list[Metric], name: str) -> dict[tuple[str, ...], float]:
    name = f"switchyard_{name}"
    return {
        tuple(sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
        if sample.name == name
    }


def everything_counted() -> tuple[Sample, ...]:
    """One sample of each series that the contract names."""
    found = []
    for shape in COUNTED:
        name, labels = re.fullmatch(r"(\w+)\{(.*)\}", shape).groups()  # type: ignore[union-attr]
        own = {label: f"a {label}" for label in labels.split(",") if label}
        name = f"switchyard_{name}"
        if name.endswith("_total"):
            found.append(Sample(name, own, 3))
            continue
        bounds = ("0.1", "1.0", "10.0", "+Inf")
        found += [Sample(f"{name}_bucket", {**own, "le": bound}, 2) for bound in bounds]
        found += [Sample(f"{name}_count", own, 2), Sample(f"{name}_sum", own, 0.5)]
    return tuple(found)


def shapes(families: list[Metric]) -> set[str]:
    found = set()
    for family in families:
        for sample in family.samples:
            stem = re.sub("_(bucket|count|sum)$", "", sample.name)
            labels = ",".join(sorted(set(sample.labels) - {"le"}))
            found.add(f"{stem.removeprefix('switchyard_')}{{{labels}}}")
    return found


@pytest.mark.parametrize("om", [False, True])
def test_the_contracts_names_and_labels_in_both_formats(om: bool) -> None:
    families = parsed(reading(*everything_counted()), [BUSY], om=om)
    wanted = {re.sub(r"\{(.*)\}", _sorted, shape) for shape in COUNTED + MEASURED}
    assert wanted <= shapes(families)
    assert {f.name for f in families if not f.name.startswith("switchyard_")} == set()
    assert all(family.documentation for family in families)


def _sorted(found: re.Match[str]) -> str:
    return "{" + ",".join(sorted(found[1].split(","))) + "}"


def test_promtool_accepts_all_that_a_busy_worker_has_to_tell(promtool: str) -> None:
    body, _ = exposition.render(reading(*everything_counted()), [BUSY], accept="")
    said = subprocess.run(
        [promtool, "check", "metrics"], check=False, input=body, capture_output=True, timeout=30
    )
    assert (said.returncode, (said.stdout + said.stderr).decode()) == (0, "")


def test_a_nodes_latency_is_two_plain_gauges() -> None:
    families = parsed(reading(), [BUSY])
    assert values(families, "node_latency_p50_seconds") == {("node:8545",): 0.004}
    assert values(families, "node_latency_p95_seconds") == {("node:8545",): 0.02}


def test_the_format_is_the_one_that_is_accepted() -> None:
    plain, kind = exposition.render(reading(), [], accept="*/*")
    assert kind.startswith("text/plain; version=0.0.4")
    assert b"# EOF" not in plain
    body, kind = exposition.render(reading(), [], accept=OPENMETRICS)
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")


def test_a_breaker_is_in_each_state_that_any_live_worker_has_it_in() -> None:
    fleet = [
        worker("h:1", breakers=(breaker("open"),)),
        worker("h:2", breakers=(breaker("open"),)),
        worker("h:3", breakers=(breaker("closed"),)),
        worker("h:4", breakers=(breaker("half_open"),), age_s=8.0),
    ]
    families = parsed(reading(), fleet)
    states = values(families, "breaker_state")
    assert len(states) == 7
    assert {labels for labels, value in states.items() if value} == {
        ("l2", "open"), ("l2", "closed"),
    }  # fmt: skip
    assert states["l2", "open"] == 1
    assert values(families, "breaker_workers")["l2", "open"] == 2
    assert values(families, "breaker_workers")["l2", "half_open"] == 0


def test_pools_caches_and_calls_are_added_up_over_the_living() -> None:
    families = parsed(reading(), [BUSY, BUSY, worker(age_s=60.0, pools=(pool(9, 9, 9),))])
    assert values(families, "pool_connections") == {
        ("node:8545", "used"): 6, ("node:8545", "idle"): 2,
    }  # fmt: skip
    assert values(families, "pool_connections_max") == {("node:8545",): 16}
    assert values(families, "cache_entries") == {("l1",): 14}
    assert values(families, "cache_bytes") == {("l1",): 1400}
    assert values(families, "rpc_in_flight") == {(): 8}
    assert values(families, "workers") == {("up",): 2, ("stale",): 0, ("gone",): 1}


def test_what_nobody_can_tell_is_absent_and_never_zero() -> None:
    unknown = reading(counters=None, live=None, lost=None, sources={"valkey": False})
    families = parsed(unknown, None)
    assert {family.name for family in families} == {
        "switchyard_build_info", "switchyard_telemetry_up",
    }  # fmt: skip
    assert values(families, "telemetry_up") == {("valkey",): 0}


def test_a_fleet_that_reports_no_breaker_has_no_breakers_figures() -> None:
    names = {family.name for family in parsed(reading(), [worker()])}
    assert "switchyard_workers" in names
    absent = {"breaker_state", "pool_connections", "cache_entries", "rpc_in_flight"}
    assert names.isdisjoint(f"switchyard_{name}" for name in absent)


def test_who_ended_without_a_last_word_is_told() -> None:
    families = parsed(reading(lost={"worker": 2}), [])
    assert values(families, "incarnations_lost") == {("worker",): 2, ("web",): 0, ("beat",): 0}


@pytest.mark.parametrize("om", [False, True])
def test_what_a_newer_release_counts_is_told_as_well(om: bool) -> None:
    newer = (
        Sample("switchyard_wonders_total", {"kind": "new"}, 4),
        Sample("switchyard_awe_seconds_bucket", {"le": "+Inf"}, 2),
        Sample("switchyard_awe_seconds_count", {}, 2),
        Sample("switchyard_awe_seconds_sum", {}, 9),
        Sample("switchyard_rpc_shared_total", {"node": "a"}, 1),
        Sample("switchyard_odd", {}, 1),
    )
    families = parsed(reading(*newer), [worker(breakers=(breaker("dozing"),))], om=om)
    assert values(families, "wonders_total") == {("new",): 4}
    assert values(families, "awe_seconds_sum") == {(): 9}
    assert values(families, "rpc_shared_total") == {("a",): 1}
    assert values(families, "breaker_state")["l2", "dozing"] == 1
    assert values(families, "odd") == {}


@pytest.mark.parametrize("om", [False, True])
def test_a_label_may_hold_anything(om: bool) -> None:
    odd = 'a "quoted" \\ back\nslash é'
    families = parsed(
        reading(Sample("switchyard_rpc_retries_total", {"reason": odd}, 1)), [], om=om
    )
    assert values(families, "rpc_retries_total") == {(odd,): 1}


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == exposition.VERSION


def test_every_gauge_has_its_text() -> None:
    families = parsed(reading(), [BUSY])
    told = {family.name for family in families if family.type == "gauge"}
    assert told <= set(instruments.GAUGES)
