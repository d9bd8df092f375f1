"""What this process holds of memory, and what it may hold before somebody ends it."""

import os
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from validation.cache.sizing import read_memory

_RESIDENT: Final = 1
_DATA: Final = 5
"""Places in /proc/self/statm, whose numbers are pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Bytes. `used` is resident, shared pages counted in full. `fair` is what there is in all,
    divided by those who share it; 0: nothing tells. `is_own`: an operator gave this process alone
    its limit.
    """

    used: int
    limit: int
    fair: int = 0
    is_own: bool = False

    @property
    def share(self) -> float:
        return self.used / self.limit if self.limit > 0 else 1.0


def read_footprint(
    processes: int, *, own_limit: int = 0, root: Path = Path("/")
) -> Footprint | None:
    """Of this process among so many of its kind in one control group or on one machine; None
    where nothing tells.

    What it may hold is what it holds, and its part of what the tightest of its groups and the
    machine have left: the group's memory is what runs out, whoever took it, and a small process is
    not blamed for a large neighbour before there is next to nothing left for either. What a limit
    of the process's own leaves of its data is its own. One of its addresses is not asked: stacks
    and arenas take ten times as many as they hold. `own_limit`: what an operator allows each
    process; 0: nobody said.
    """
    used = resident_bytes(root)
    if used is None:
        return None
    rooms, wholes = [], []
    memory = read_memory(root)
    if memory is not None:
        rooms.append(memory.available // max(1, processes))
        wholes.append(memory.total // max(1, processes))
    most_data, _ = resource.getrlimit(resource.RLIMIT_DATA)
    data = _statm(root, _DATA)
    if most_data != resource.RLIM_INFINITY and data is not None:
        rooms.append(max(0, most_data - data))
        wholes.append(most_data)
    if own_limit and used + min(rooms, default=own_limit) >= own_limit:
        return Footprint(used=used, limit=own_limit, fair=own_limit, is_own=True)
    return Footprint(used=used, limit=used + min(rooms), fair=min(wholes)) if rooms else None


def resident_bytes(root: Path = Path("/")) -> int | None:
    """None where there is no /proc."""
    return _statm(root, _RESIDENT)


def siblings(*, root: Path = Path("/")) -> int:
    """Processes that the same parent made, this one among them: a pool's, in one control group.
    1 where nothing tells.
    """
    found = 0
    for told in (root / f"proc/{os.getppid()}/task").glob("*/children"):
        try:
            found += len(told.read_text(encoding="ascii").split())
        except OSError:
            continue  # that thread ended
    return max(1, found)


def _statm(root: Path, place: int) -> int | None:
    try:
        pages = (root / "proc/self/statm").read_text(encoding="ascii").split()[place]
        return int(pages) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return None
