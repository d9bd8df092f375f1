"""The workers' page: what each process takes of its machine, and how its memory is guarded."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from monitoring import processes, valkey
from monitoring.alerts.catalogue import RULES
from monitoring.alerts.looked import look
from monitoring.alerts.observed import observed
from monitoring.alerts.windows import Windows
from monitoring.collectors import tasks, told
from monitoring.collectors.outcome import Outcome
from monitoring.collectors.tasks import TasksSample
from monitoring.processes import ProcessSnapshot
from monitoring.samples import Sample
from monitoring.snapshots import MemoryReport
from tests.pages.conftest import Page

See = Callable[..., Page]
MB = 1_000_000


def process(pid: int, kind: str = "worker", **gauges: float) -> None:
    said = {"resident_memory_bytes": 84 * MB, "open_fds": 40, "max_fds": 1_024, "threads": 8}
    samples = tuple(
        Sample(f"switchyard_process_{name}", {"process": kind}, value)
        for name, value in (said | gauges).items()
    )
    name = f"rack-4:{pid}:1"
    processes.publish(ProcessSnapshot(incarnation=name, kind=kind, sequence=1, gauges=samples))


def guard(**more: Any) -> MemoryReport:
    said: dict[str, Any] = {
        "guard": "on", "level": "ok", "used_bytes": 84 * MB, "limit_bytes": 256 * MB,
    }  # fmt: skip
    return MemoryReport(**(said | more))


def tasks_told(**more: Any) -> None:
    said: dict[str, Any] = {
        "window_s": 300.0, "heard": 1_200, "wait_mean_s": 0.004, "wait_p95_s": 0.025, "done": 1_500,
        "retried": 0, "failed": 2, "again": 1, "canaries": 900, "seen": 1.0,
    }  # fmt: skip
    sample = TasksSample(**(said | more))
    told.publish(Outcome(source=tasks.SOURCE, took_s=0.0, sample=sample))


def test_what_a_process_takes(
    operator: Client, see: See, worker_reports: Callable[..., None]
) -> None:
    worker_reports(memory=guard(used_bytes=84 << 20, limit_bytes=256 << 20))
    process(4711, cpu_ratio=0.61, event_loop_lag_seconds=0.0123, gc_pause_worst_seconds=0.004)
    process(99, "web")
    page = see(operator, "/workers/")
    row = page.text.partition("worker rack-4:4711")[2].partition("web rack-4:99")[0]
    for said in ("Room", "holds 84 of 256 MiB", "61.0 %", "40 / 1 024", "12 ms", "4.0 ms"):
        assert said in row, (said, row)
    assert "memory 33 percent" in {svg.get("aria-label") for svg in page.all("svg")}
    other = page.text.partition("web rack-4:99")[2]
    assert other.startswith(" no guard 84 MB – –")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"level": "half"}, "Tight · half of its cache dropped"),
        ({"level": "all", "refuses": True}, "Full · cache dropped, takes no work"),
        ({"guard": "off"}, "Not guarded · takes work"),
        ({"used_bytes": None, "limit_bytes": None}, "Unknown · nothing tells its memory"),
    ],
    ids=["half", "all", "off", "unknown"],
)
def test_how_its_memory_is_guarded(
    operator: Client,
    see: See,
    worker_reports: Callable[..., None],
    more: dict[str, Any],
    said: str,
) -> None:
    worker_reports(memory=guard(**more))
    process(4711)
    text = see(operator, "/workers/").text
    assert said in text
    assert ("1 takes no work for want of memory" in text) == bool(more.get("refuses"))


def test_a_worker_near_its_limit_is_told_of_as_its_alert_tells_of_it(
    operator: Client, see: See, worker_reports: Callable[..., None]
) -> None:
    worker_reports(memory=guard(level="half", used_bytes=230 << 20, limit_bytes=256 << 20))
    process(4711)
    looked = look(timezone.now(), Windows(), {})
    (alert,) = observed(looked, within_s=3)["worker.memory"] or ()
    text = see(operator, "/workers/").text
    assert f"{RULES['worker.memory'].title}: 1 of 1, guarded by" in text
    words = alert.words.removeprefix("rack-4:4711 ").removesuffix(".")
    assert words == "holds 230 of 256 MiB"
    assert words in text
    worker_reports(memory=guard(used_bytes=210 << 20, limit_bytes=256 << 20))
    text = see(operator, "/workers/").text
    assert "holds 210 of 256 MiB" in text
    assert "near its memory's limit" not in text


def test_nobody_can_be_asked_or_nobody_told(operator: Client, see: See) -> None:
    assert "No process reports yet" in see(operator, "/workers/").text
    valkey.client().set("switchyard:processes", "in the place of their names")
    assert "No process reports: Valkey unreachable" in see(operator, "/workers/").text


def test_how_long_wake_ups_waited_what_failed_and_what_the_metrics_see(
    operator: Client, see: See
) -> None:
    text = see(operator, "/workers/").text
    for title in ("Wait of wake-ups", "Tasks failed", "Metrics see"):
        assert f"{title} no data nobody has counted yet" in text
    tasks_told()
    text = see(operator, "/workers/").text
    assert "Wait of wake-ups 4.0 ms mean of 1 200, 95 % within 25 ms last 5 min" in text
    assert "Tasks failed 2 of 1 502; 0 retried, 1 delivered again" in text
    assert "Metrics see 100 % of 900 events made up to be counted" in text


def test_a_blind_spot_is_said_and_too_few_events_say_nothing(operator: Client, see: See) -> None:
    tasks_told(seen=0.75)
    assert "Metrics see 75.0 %" in see(operator, "/workers/").text
    tasks_told(seen=None, canaries=3, heard=0, wait_mean_s=None, wait_p95_s=None)
    text = see(operator, "/workers/").text
    assert "Metrics see no data too few events yet" in text
    assert "Wait of wake-ups none was heard" in text
