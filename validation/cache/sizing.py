"""How many bytes L1 may hold, by the memory that this machine or container has left.

Reads cgroup v2 where there is one and /proc/meminfo otherwise; whoever owns L1 asks every few
seconds and passes the answer to `L1.resize`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CGROUPS: Final = "sys/fs/cgroup"
_KIB: Final = 1024


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
    own = next((line[3:] for line in lines if line.startswith("0::")), None)
    if own is None:
        return []
    top = root / _CGROUPS
    place = top / own.strip("/")
    groups = [place, *(parent for parent in place.parents if parent.is_relative_to(top))]
    return [memory for group in groups if (memory := _group(group)) is not None]


def _group(folder: Path) -> Memory | None:
    limit, used = _number(folder / "memory.max"), _number(folder / "memory.current")
    if limit is None or used is None:
        return None
    # Pages of files that nobody wrote to are taken back before anything is refused.
    reclaimable = _numbers(folder / "memory.stat").get("inactive_file", 0)
    return Memory(total=limit, available=limit - used + reclaimable)


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
