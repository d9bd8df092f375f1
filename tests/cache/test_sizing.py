"""How much memory L1 takes: told by files as Linux writes them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validation.cache.sizing import Memory, SizingConfig, adapted, read_memory

MB = 1 << 20
CONFIG = SizingConfig(share=0.25, floor=4 * MB, ceiling=256 * MB)
MEMINFO = (
    "MemTotal:       2048000 kB\nMemFree:  1 kB\nMemAvailable:   1024000 kB\nHugePages_Total: 0\n"
)


def write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("DOT", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_machine_without_groups_tells_by_meminfo(tmp_path: Path) -> None:
    root = write(tmp_path, proc__meminfo=MEMINFO)
    assert read_memory(root) == Memory(total=2_048_000 * 1024, available=1_024_000 * 1024)


def test_the_tightest_group_around_the_process_counts(tmp_path: Path) -> None:
    root = write(tmp_path, proc__meminfo=MEMINFO, proc__self__cgroup="0::/pod/worker\n")
    group = tmp_path / "sys/fs/cgroup/pod"
    (group / "worker").mkdir(parents=True)
    (group / "worker/memory.max").write_text("max\n")
    (group / "worker/memory.current").write_text("5\n")
    (group / "memory.max").write_text(f"{512 * MB}\n")
    (group / "memory.current").write_text(f"{400 * MB}\n")
    (group / "memory.stat").write_text(f"anon 7\ninactive_file {100 * MB}\n")
    assert read_memory(root) == Memory(total=512 * MB, available=212 * MB)


def test_a_group_that_is_over_its_limit_has_nothing_left(tmp_path: Path) -> None:
    root = write(tmp_path, proc__meminfo=MEMINFO, proc__self__cgroup="0::/\n")
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("1000")
    (group / "memory.current").write_text("2000")
    memory = read_memory(root)
    assert memory is not None
    assert memory.available == 0


@pytest.mark.parametrize("text", ["", "rubbish", "MemTotal: x kB\nMemAvailable:\n"])
def test_no_source_is_no_data(tmp_path: Path, text: str) -> None:
    assert read_memory(write(tmp_path, proc__meminfo=text)) is None


def test_this_machine_tells() -> None:
    memory = read_memory()
    assert memory is not None
    assert 0 <= memory.available <= memory.total


def test_units_are_bytes() -> None:
    """A quarter of what is available, and not a thousandth of it."""
    memory = Memory(total=2_048 * MB, available=400 * MB)
    size = 90 * MB
    for _ in range(10):
        size = adapted(CONFIG, memory, max_bytes=size, used=0)
    assert abs(size - 100 * MB) < 10 * MB


def test_it_shrinks_at_once_and_grows_by_steps() -> None:
    tight = Memory(total=2_048 * MB, available=40 * MB)
    assert adapted(CONFIG, tight, max_bytes=200 * MB, used=0) == 10 * MB
    wide = Memory(total=2_048 * MB, available=2_000 * MB)
    assert adapted(CONFIG, wide, max_bytes=100 * MB, used=0) == 125 * MB


def test_what_is_shared_by_processes_is_divided() -> None:
    memory = Memory(total=2_048 * MB, available=800 * MB)
    config = SizingConfig(share=0.25, processes=8, floor=4 * MB, ceiling=256 * MB)
    assert adapted(config, memory, max_bytes=100 * MB, used=0) == 25 * MB


def test_growing_does_not_make_it_shrink() -> None:
    """What L1 took is no longer available, but it is L1's."""
    size, free = 20 * MB, 400 * MB
    sizes = []
    for _ in range(30):
        memory = Memory(total=800 * MB, available=free - size)
        size = adapted(CONFIG, memory, max_bytes=size, used=size)
        sizes.append(size)
    assert sizes == sorted(sizes)
    assert sizes[-1] == sizes[-5]


@given(
    available=st.integers(0, 1 << 40),
    max_bytes=st.integers(0, 1 << 40),
    used=st.integers(0, 1 << 40),
    processes=st.integers(1, 64),
)
def test_it_stays_within_its_bounds(
    available: int, max_bytes: int, used: int, processes: int
) -> None:
    config = SizingConfig(floor=4 * MB, ceiling=256 * MB, processes=processes)
    memory = Memory(total=1 << 41, available=available)
    size = adapted(config, memory, max_bytes=max_bytes, used=used)
    assert 4 * MB <= size <= 256 * MB
