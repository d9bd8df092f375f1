"""How many bytes L1 may hold, by the memory that this machine or container has left.

Reads the control groups, of either version, and /proc/meminfo; whoever owns L1 asks every few
seconds and passes the answer to `L1.resize`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

_KIB: Final = 1024


class _Version(NamedTuple):
    """Where a version of control groups tells what."""

    controller: str
    top: str
    limit: str
    used: str
    reclaimable: tuple[str, ...]


_VERSIONS: Final = (
    _Version(
        "",
        "sys/fs/cgroup",
        "memory.max",
        "memory.current",
        ("active_file", "inactive_file", "slab_reclaimable"),
    ),
    _Version(
        "memory",
        "sys/fs/cgroup/memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        ("total_active_file", "total_inactive_file"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes that may be used in all, and those that could still be taken."""

    total: int
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingConfig:
    share: float = 0.25
    """Of what is available, for the L1s of all processes together."""
    processes: int = 1
    """How many share this memory, each with an L1."""
    floor: int = 4 << 20
    ceiling: int = 256 << 20
    step: float = 0.25
    """Grows by at most this share at a time; shrinks at once."""
    slack: float = 0.1
    """Differences below this share of the present size are left alone."""


def adapted(config: SizingConfig, memory: Memory, *, max_bytes: int, used: int) -> int:
    """The bound to set, from the one in force and the bytes that L1 holds now.

    What L1 holds counts as available: otherwise it would shrink for having grown.
    """
    wanted = int((memory.available / config.processes + used) * config.share)
    wanted = min(max(wanted, config.floor), config.ceiling)
    if not config.floor <= max_bytes <= config.ceiling:
        return min(max(max_bytes, config.floor), wanted)
    if abs(wanted - max_bytes) < config.slack * max_bytes:
        return max_bytes
    return min(wanted, int(max_bytes * (1 + config.step)))


def read_memory(root: Path = Path("/")) -> Memory | None:
    """The tighter of this process's control groups and the machine; None where neither tells."""
    found = [memory for memory in (_machine(root), *_groups(root)) if memory is not None]
    if not found:
        return None
    return Memory(
        total=min(memory.total for memory in found),
        available=max(min(memory.available for memory in found), 0),
    )


def _machine(root: Path) -> Memory | None:
    fields = _numbers(root / "proc/meminfo", separator=":")
    total, available = fields.get("MemTotal"), fields.get("MemAvailable")
    if total is None or available is None:
        return None
    return Memory(total=total * _KIB, available=available * _KIB)


def _groups(root: Path) -> list[Memory]:
    """The limits of this process's group and of those around it."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except (OSError, ValueError):
        return []
    found = []
    for line in lines:
        _, controllers, own = (*line.split(":", 2), "", "")[:3]
        for version in _VERSIONS:
            if version.controller not in controllers.split(","):
                continue
            top = root / version.top
            place = top / own.strip("/")
            groups = [place, *(parent for parent in place.parents if parent.is_relative_to(top))]
            found += [memory for group in groups if (memory := _group(group, version)) is not None]
    return found


def _group(folder: Path, files: "_Version") -> Memory | None:
    limit, used = _number(folder / files.limit), _number(folder / files.used)
    if limit is None or used is None:
        return None
    # Pages of files, and what the kernel keeps of their names, are taken back before anybody is
    # ended, whether or not somebody read them of late. What lies in memory only is none of them.
    told = _numbers(folder / "memory.stat")
    reclaimable = sum(told.get(name, 0) for name in files.reclaimable)
    return Memory(total=limit, available=min(limit, limit - used + reclaimable))


def _number(path: Path) -> int | None:
    """None where there is no such file, or it says that there is no limit ("max")."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _numbers(path: Path, *, separator: str | None = None) -> dict[str, int]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, ValueError):
        return {}
    pairs = (line.split(separator, 1) for line in lines)
    return {
        pair[0]: int(words[0])
        for pair in pairs
        if len(pair) > 1 and (words := pair[1].split()) and words[0].isdigit()
    }
