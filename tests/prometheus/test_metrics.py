"""`/metrics` of a living stack: the contract's names, in a form that promtool accepts."""

import re
import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from tests.prometheus.conftest import Console

# A whole console starts before the first of them.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
# CONTRACT: Metrics, with the labels it gives them.
CONTRACT = """
    breaker_state{breaker,state} breaker_calls_total{breaker,outcome}
    breaker_transitions_total{breaker,from,to}
    pool_connections{pool,state} pool_connections_max{pool} pool_wait_seconds
    cache_requests_total{level,result} cache_entries{level} cache_bytes{level}
    rpc_requests_total{method,outcome} rpc_duration_seconds{method} rpc_batch_size rpc_in_flight
    validations_total{kind,verdict} validation_duration_seconds{kind} rpc_retries_total{reason}
    rpc_shared_total queue_wait_seconds workers{state} flag_evaluations_total{flag,variant}
    http_request_duration_seconds{route,status} db_query_duration_seconds
    process_resident_memory_bytes{process} build_info
""".split()  # noqa: SIM905 - as the contract writes them
# Nothing opened, nothing was asked twice: they are named, and have no series yet.
QUIET = {"breaker_transitions_total", "rpc_retries_total"}
# What nobody may read there.
SECRETS = re.compile(r"0x[0-9a-fA-F]{16}|127\.0\.0\.1:\d+/|password|://")


@pytest.mark.parametrize("accept", ["", OPENMETRICS], ids=["text", "openmetrics"])
def test_every_name_of_the_contract_is_told(living: Console, accept: str) -> None:
    body = living.metrics(accept)
    families = list((openmetrics if accept else plain)(body))
    labels: dict[str, set[str]] = {}
    for sample in (sample for family in families for sample in family.samples):
        name = re.sub("_(bucket|count|sum)$", "", sample.name)
        labels.setdefault(name, set()).update(set(sample.labels) - {"le"})
    named = {family.name for family in families}
    for line in CONTRACT:
        name, _, wanted = line.rstrip("}").partition("{")
        full = f"switchyard_{name}"
        if name in QUIET:
            assert full in named or full.removesuffix("_total") in named, name
            continue
        assert full in labels, name
        assert set(filter(None, wanted.split(","))) <= labels[full], name


def test_promtool_has_nothing_to_say(living: Console, promtool: str) -> None:
    body = living.metrics()
    # With all that workers tell: what is not there nobody judges.
    for name in ("node_latency_p50_seconds", "node_latency_p95_seconds", "breaker_state"):
        assert f"switchyard_{name}{{" in body, name
    said = subprocess.run(
        [promtool, "check", "metrics"],
        check=False,
        input=body,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (said.returncode, said.stdout + said.stderr) == (0, "")


def test_no_address_hash_or_secret_is_a_label(living: Console) -> None:
    body = living.metrics()
    told = [line for line in body.splitlines() if not line.startswith("#")]
    assert [line for line in told if SECRETS.search(line)] == []


def test_each_source_is_told_with_its_age(living: Console) -> None:
    body = living.metrics()
    for source in ("postgres", "valkey", "broker", "celery"):
        assert f'switchyard_collected_up{{source="{source}"}} 1.0' in body
        (age,) = re.findall(rf'switchyard_collected_age_seconds\{{source="{source}"\}} (\S+)', body)
        assert 0 <= float(age) < 30
