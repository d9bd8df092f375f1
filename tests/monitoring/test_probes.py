"""What a process tells of itself."""

import os
import resource
import threading
from pathlib import Path

import pytest

from monitoring.probes import Probes, ProcessProbe
from monitoring.samples import Sample


def figures(samples: tuple[Sample, ...]) -> dict[str, float]:
    return {s.name.removeprefix("switchyard_"): s.value for s in samples}


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "statm").write_text("900 25 10 1 0 99 0\n")
    (tmp_path / "smaps_rollup").write_text("Rss: 100 kB\nPss:    64 kB\nPss_Dirty: 5 kB\n")
    (tmp_path / "fd").mkdir()
    for number in range(3):
        (tmp_path / "fd" / str(number)).touch()
    return tmp_path


def test_the_kernels_figures(proc: Path) -> None:
    found = figures(ProcessProbe("web", proc=proc)())
    assert found["process_resident_memory_bytes"] == 25 * os.sysconf("SC_PAGESIZE")
    assert found["process_proportional_memory_bytes"] == 64 * 1024
    assert found["process_open_fds"] == 3
    assert found["process_threads"] == threading.active_count()
    assert found["processes"] == 1


def test_what_the_kernel_does_not_tell_is_left_out(tmp_path: Path) -> None:
    found = figures(ProcessProbe("web", proc=tmp_path)())
    assert {"process_open_fds", "process_proportional_memory_bytes"}.isdisjoint(found)


def test_walking_the_pages_is_done_now_and_then(proc: Path) -> None:
    now = iter([0.0, 0.0, 9.0, 9.0, 11.0, 11.0])
    probe = ProcessProbe("web", proc=proc, clock=lambda: next(now))
    seen = []
    for size in (64, 128, 256):
        (proc / "smaps_rollup").write_text(f"Pss: {size} kB\n")
        seen.append(figures(probe())["process_proportional_memory_bytes"] / 1024)
    assert seen == [64, 64, 256]


def test_time_on_a_processor_is_counted() -> None:
    probe = ProcessProbe("beat")
    before = probe.counters()[0]
    sum(range(200_000))
    after = probe.counters()[0]
    assert after.name == "switchyard_process_cpu_seconds_total"
    assert after.value > before.value > 0
    assert after.labels == {"process": "beat"}


def test_sockets_are_told_from_files_and_how_many_there_may_be(proc: Path) -> None:
    (proc / "fd" / "9").symlink_to("socket:[4711]")
    found = figures(ProcessProbe("web", proc=proc)())
    assert found["process_open_sockets"] == 1
    assert found["process_open_fds"] == 4
    assert found["process_max_fds"] == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_how_busy_it_is_needs_two_looks_and_is_of_one_processor(proc: Path) -> None:
    now = iter([0.0, 0.0, 4.0, 4.0, 1_000.0, 1_000.0])
    probe = ProcessProbe("web", proc=proc, clock=lambda: next(now))
    assert "process_cpu_ratio" not in figures(probe())
    assert "process_cpu_ratio" not in figures(probe())
    sum(range(200_000))
    assert 0 < figures(probe())["process_cpu_ratio"] < 0.1


def test_what_is_registered_is_read_and_what_fails_is_left_out() -> None:
    probes = Probes()
    asked = []

    def broken() -> list[Sample]:
        asked.append(1)
        raise OSError("gone")

    probes.register("broken", broken)
    probes.register("pool", lambda: [Sample("pool_used", {}, 4)])
    assert probes.read() == probes.read() == (Sample("pool_used", {}, 4),)
    assert len(asked) == 2
    with pytest.raises(ValueError, match="'pool'"):
        probes.register("pool", list)
    probes.unregister("pool")
    assert probes.read() == ()
