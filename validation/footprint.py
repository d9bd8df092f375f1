"""What this process holds of memory, and what it may hold before somebody ends it."""

import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from validation.cache.sizing import read_memory

_LIMITS: Final = (resource.RLIMIT_AS, resource.RLIMIT_DATA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Bytes. `used` is resident, shared pages counted in full."""

    used: int
    limit: int

    @property
    def share(self) -> float:
        return self.used / self.limit if self.limit > 0 else 1.0


def read_footprint(processes: int, *, root: Path = Path("/")) -> Footprint | None:
    """Of this process among so many of its kind in one control group or on one machine; None
    where nothing tells.

    What it may hold is what it holds, and its part of what the tightest of its groups and the
    machine have left: the group's memory is what runs out, whoever took it, and a small process is
    not blamed for a large neighbour before there is next to nothing left for either. Limits set on
    the process itself hold as they are.
    """
    used = resident_bytes(root)
    if used is None:
        return None
    limits = [
        soft for soft, _ in map(resource.getrlimit, _LIMITS) if soft != resource.RLIM_INFINITY
    ]
    memory = read_memory(root)
    if memory is not None:
        limits.append(used + memory.available // max(1, processes))
    return Footprint(used=used, limit=min(limits)) if limits else None


def resident_bytes(root: Path = Path("/")) -> int | None:
    """None where there is no /proc."""
    try:
        pages = (root / "proc/self/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return None
