"""`GET /api/v1/gates` and `/targets`: what the command says, as objects."""

import pytest
from django.test import Client

from tests.gates.written import LAST, gauge, now, write

pytestmark = pytest.mark.usefixtures("empty_history")


def memory() -> None:
    both = [gauge("processes.memory_bytes", 3e9), gauge("valkey.used_bytes", 1e9)]
    write(now(), range(LAST), lambda _: both)


def test_gates_with_their_counts(viewer: Client) -> None:
    memory()
    answer = viewer.get("/api/v1/gates")
    assert answer.status_code == 200
    told = answer.json()
    found = {one["id"]: one for one in told["gates"]}
    counts = told["counts"]
    held = {by: sum((one["by"], one["state"]) == (by, "pass") for one in told["gates"])
            for by in ("test", "release")}  # fmt: skip
    assert (counts.pop("held_by_test"), counts.pop("in_release")) == tuple(held.values())
    assert min(held.values()) > 0
    assert sum(counts.values()) == len(found)
    assert (found["roadmap.kpi.17"]["by"], found["1.4.c"]["by"]) == ("measured", "test")
    kpi = found["roadmap.kpi.17"]
    assert (kpi["state"], kpi["value"], kpi["wanted"], kpi["unit"]) == ("pass", 4, "< 40", "GB")
    assert (kpi["source"], kpi["lines"], kpi["link"]) == ("001", "2430", "/workers/")
    assert found["fixpack.kpi.1"]["state"] == "not_measurable"
    assert found["fixpack.kpi.1"]["value"] is None


def test_those_of_a_phase_alone(viewer: Client) -> None:
    told = viewer.get("/api/v1/gates", {"phase": "io.p1"}).json()
    assert {one["phase"] for one in told["gates"]} == {"io.p1"}


def test_an_unknown_phase_is_not_found_by_its_name(viewer: Client) -> None:
    answer = viewer.get("/api/v1/gates", {"phase": "week.1"})
    assert answer.status_code == 404
    assert "'week.1'" in answer.json()["detail"]


def test_targets_with_what_is_measured_and_memory_priced(viewer: Client) -> None:
    memory()
    told = viewer.get("/api/v1/targets").json()
    found = {one["id"]: one for one in told["measured"]}
    assert (found["roadmap.memory"]["value"], found["roadmap.memory"]["meets"]) == (4, True)
    assert found["roadmap.memory"]["reached"] == ["week 1", "week 2", "week 3"]
    assert len(found["roadmap.memory"]["points"]) == 48
    assert found["roadmap.throughput"]["value"] is None
    priced = told["memory"]
    assert priced["measured_mb"] == pytest.approx(4000)
    assert priced["measured"] == pytest.approx(4000 / 1024 * 9.1975)


def test_memory_that_is_not_known_has_no_price(viewer: Client) -> None:
    priced = viewer.get("/api/v1/targets").json()["memory"]
    assert (priced["measured_mb"], priced["measured"]) == (None, None)
    assert priced["before_mb"] == 5330
