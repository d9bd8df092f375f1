"""What a process may hold: told by files as Linux writes them."""

import os
import resource
from pathlib import Path

import pytest

from validation.cache.sizing import Memory, read_memory
from validation.footprint import Footprint, read_footprint, siblings

MB = 1 << 20
PAGE = resource.getpagesize()
MEMINFO = f"MemTotal: {16 * 1024 * 1024} kB\nMemAvailable: {8 * 1024 * 1024} kB\n"


def machine(root: Path, *, resident: int, data: int = 0, group: str = "", **files: str) -> Path:
    """`group` is /proc/self/cgroup; `files` go into the group's folder, "_" for a dot."""
    told = {
        "proc/self/statm": f"99999 {resident // PAGE} 10 1 0 {data // PAGE} 0\n",
        "proc/meminfo": MEMINFO,
        "proc/self/cgroup": group,
    }
    folder = "sys/fs/cgroup/memory/pod" if "memory:" in group else "sys/fs/cgroup/pod"
    told |= {f"{folder}/{name.replace('__', '.')}": text for name, text in files.items()}
    for name, text in told.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture(autouse=True)
def without_limits_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (resource.RLIM_INFINITY, 0))


def in_group(root: Path, *, resident: int, used: int, limit: str, data: int = 0) -> Path:
    return machine(
        root, resident=resident, data=data, group="0::/pod\n",
        memory__max=limit, memory__current=f"{used}\n", memory__stat=f"inactive_file {10 * MB}\n",
    )  # fmt: skip


def test_alone_in_its_group_the_groups_limit_is_its_own(tmp_path: Path) -> None:
    root = in_group(tmp_path, resident=100 * MB, used=110 * MB, limit=f"{512 * MB}\n")
    # 10 MB of the group are files that nobody needs: they do not count.
    assert read_footprint(1, root=root) == Footprint(used=100 * MB, limit=512 * MB, fair=512 * MB)


def test_processes_of_one_group_share_what_it_has_left(tmp_path: Path) -> None:
    """Four of 100 MB in 1000: each may grow by its part of the 600 left, and all are at 40 %."""
    root = in_group(tmp_path, resident=100 * MB, used=410 * MB, limit=f"{1000 * MB}\n")
    footprint = read_footprint(4, root=root)
    assert footprint == Footprint(used=100 * MB, limit=250 * MB, fair=250 * MB)
    assert footprint.share == pytest.approx(0.4)


def test_a_full_group_is_full_for_each_of_them(tmp_path: Path) -> None:
    root = in_group(tmp_path, resident=240 * MB, used=970 * MB, limit=f"{1000 * MB}\n")
    footprint = read_footprint(4, root=root)
    assert footprint is not None
    assert footprint.share == pytest.approx(0.96)


def test_a_small_process_is_not_blamed_for_a_large_neighbour(tmp_path: Path) -> None:
    root = in_group(tmp_path, resident=50 * MB, used=910 * MB, limit=f"{1000 * MB}\n")
    footprint = read_footprint(2, root=root)
    assert footprint is not None
    assert footprint.share == pytest.approx(0.5)


def test_version_one_of_groups_tells_as_well(tmp_path: Path) -> None:
    root = machine(
        tmp_path, resident=100 * MB, group="5:cpu,cpuacct:/pod\n4:memory:/pod\n",
        memory__limit_in_bytes=f"{512 * MB}\n", memory__usage_in_bytes=f"{200 * MB}\n",
        memory__stat=f"total_inactive_file {88 * MB}\n",
    )  # fmt: skip
    assert read_memory(root) == Memory(total=512 * MB, available=400 * MB)
    assert read_footprint(2, root=root) == Footprint(used=100 * MB, limit=300 * MB, fair=256 * MB)


@pytest.mark.parametrize("limit", ["max\n", "9223372036854771712\n", "rubbish\n"])
def test_without_a_groups_limit_the_machine_is_divided(tmp_path: Path, limit: str) -> None:
    root = in_group(tmp_path, resident=100 * MB, used=200 * MB, limit=limit)
    assert read_footprint(8, root=root) == Footprint(
        used=100 * MB, limit=100 * MB + 1024 * MB, fair=2048 * MB
    )


def test_a_limit_of_the_processs_data_is_held_against_its_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {resource.RLIMIT_DATA: 400 * MB, resource.RLIMIT_AS: 1200 * MB}
    monkeypatch.setattr(resource, "getrlimit", lambda which: (limits[which], 0))
    root = in_group(
        tmp_path, resident=285 * MB, data=385 * MB, used=300 * MB, limit=f"{900 * MB}\n"
    )
    footprint = read_footprint(1, root=root)
    assert footprint == Footprint(used=285 * MB, limit=300 * MB, fair=400 * MB)
    assert footprint.share == pytest.approx(0.95)


def test_addresses_are_not_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 100 MB of them, stacks and arenas that nobody wrote to hold nearly none."""
    infinity = resource.RLIM_INFINITY
    limits = {resource.RLIMIT_DATA: infinity, resource.RLIMIT_AS: 100 * MB}
    monkeypatch.setattr(resource, "getrlimit", lambda which: (limits[which], 0))
    root = in_group(tmp_path, resident=99 * MB, used=99 * MB, limit=f"{900 * MB}\n")
    footprint = read_footprint(1, root=root)
    assert footprint is not None
    assert footprint.share < 0.2


def test_files_that_were_read_are_not_taken_for_memory_in_use(tmp_path: Path) -> None:
    """A group full of what the kernel keeps of files has room; what lies in memory only has not."""
    root = machine(
        tmp_path, resident=50 * MB, group="0::/pod\n",
        memory__max=f"{1000 * MB}\n", memory__current=f"{990 * MB}\n",
        memory__stat=f"anon {200 * MB}\nactive_file {500 * MB}\ninactive_file {200 * MB}\n"
        f"slab_reclaimable {40 * MB}\nshmem {50 * MB}\n",
    )  # fmt: skip
    assert read_memory(root) == Memory(total=1000 * MB, available=750 * MB)


def test_a_pool_counts_its_own(tmp_path: Path) -> None:
    assert siblings(root=tmp_path) == 1
    for thread, children in (("7", "11 12 13 "), ("8", "14 "), ("9", "")):
        task = tmp_path / f"proc/{os.getppid()}/task/{thread}"
        task.mkdir(parents=True)
        (task / "children").write_text(children)
    assert siblings(root=tmp_path) == 4


def test_nothing_to_read_is_no_data(tmp_path: Path) -> None:
    assert read_footprint(1, root=tmp_path) is None
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/statm").write_text("1 2 3\n")
    assert read_footprint(1, root=tmp_path) is None, "no limit is told"


def test_this_process_tells() -> None:
    footprint = read_footprint(2)
    assert footprint is not None
    assert 0 < footprint.used < footprint.limit


def test_a_limit_that_an_operator_set_is_each_processes_own(tmp_path: Path) -> None:
    root = in_group(tmp_path, resident=100 * MB, used=410 * MB, limit=f"{4000 * MB}\n")
    found = read_footprint(4, own_limit=300 * MB, root=root)
    assert found == Footprint(used=100 * MB, limit=300 * MB, fair=300 * MB, is_own=True)


def test_past_its_own_limit_it_is_over_it_however_much_there_is(tmp_path: Path) -> None:
    root = in_group(tmp_path, resident=310 * MB, used=410 * MB, limit=f"{4000 * MB}\n")
    found = read_footprint(4, own_limit=300 * MB, root=root)
    assert found is not None
    assert found.share > 1


def test_a_group_that_is_tighter_than_the_operators_limit_holds(tmp_path: Path) -> None:
    root = in_group(tmp_path, resident=100 * MB, used=410 * MB, limit=f"{490 * MB}\n")
    found = read_footprint(2, own_limit=300 * MB, root=root)
    assert found == Footprint(used=100 * MB, limit=145 * MB, fair=245 * MB)


def test_an_own_limit_needs_nobody_else_to_tell(tmp_path: Path) -> None:
    root = machine(tmp_path, resident=100 * MB)
    (root / "proc/meminfo").unlink()
    found = read_footprint(2, own_limit=300 * MB, root=root)
    assert found == Footprint(used=100 * MB, limit=300 * MB, fair=300 * MB, is_own=True)
