"""How many files processes of this machine may have open, by the kernel's word."""

import resource
from collections.abc import Iterable
from pathlib import Path

_PROC = Path("/proc")


def least_of(pids: Iterable[int], *, proc: Path = _PROC) -> int | None:
    """The least of those that live here; None where none does, or nothing tells."""
    found = [most for pid in pids if (most := _most(proc / str(pid) / "limits")) is not None]
    return min(found, default=None)


def of_program(name: str, *, proc: Path = _PROC) -> int | None:
    """Of whatever runs here by that name."""
    pids = []
    for place in proc.glob("[0-9]*/comm"):
        try:
            if place.read_text(encoding="utf-8", errors="replace").strip() == name:
                pids.append(int(place.parent.name))
        except OSError:
            continue  # it ended meanwhile
    return least_of(pids, proc=proc)


def own() -> int:
    """Of this process."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _most(limits: Path) -> int | None:
    """The soft limit: the hard one is what a process could ask for."""
    try:
        lines = limits.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("Max open files"):
            soft = line.removeprefix("Max open files").split()[0]
            return int(soft) if soft.isdigit() else 10**9
    return None
