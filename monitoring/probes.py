"""What a process knows of itself at this moment: its memory, time, files, threads, and what others
in it register. Imports neither Django nor Celery.
"""

import os
import resource
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import structlog

from monitoring.pauses import GcPauses
from monitoring.samples import Sample

_PSS_EVERY_S = 10.0
_CPU_OVER_S = 5.0
_SELF: Final = Path("/proc/self")

log = structlog.get_logger(__name__)

type Probe = Callable[[], Iterable[Sample]]


class Probes:
    """Gauges of one process. A probe that fails is left out and logged once, never a zero."""

    def __init__(self) -> None:
        self._probes: dict[str, Probe] = {}
        self._failing: set[str] = set()
        self._lock = threading.Lock()

    def register(self, name: str, probe: Probe) -> None:
        """`probe` is called about once a second, in a thread of its own; a name is used once."""
        with self._lock:
            if name in self._probes:
                raise ValueError(f"A probe named {name!r} is registered already.")
            self._probes[name] = probe

    def unregister(self, name: str) -> None:
        with self._lock:
            self._probes.pop(name, None)
            self._failing.discard(name)

    def read(self) -> tuple[Sample, ...]:
        with self._lock:
            probes = list(self._probes.items())
        found: list[Sample] = []
        for name, probe in probes:
            try:
                found.extend(probe())
            except Exception:
                if name not in self._failing:
                    self._failing.add(name)
                    log.exception("probe.failed", probe=name)
            else:
                self._failing.discard(name)
        return tuple(found)


class ProcessProbe:
    """The figures of this process by the kernel's account; what it does not tell is left out."""

    def __init__(
        self, kind: str, *, proc: Path = _SELF, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._labels = {"process": kind}
        self._proc = proc
        self._clock = clock
        self._pss: int | None = None
        self._sockets: int | None = None
        self._next_walk = float("-inf")
        self._cpu: float | None = None
        self._cpu_read: tuple[float, float] | None = None
        self.pauses = GcPauses()

    def __call__(self) -> tuple[Sample, ...]:
        self._walk()
        figures = {
            "processes": 1,
            "process_resident_memory_bytes": self._resident(),
            "process_proportional_memory_bytes": self._pss,
            "process_open_fds": self._open_files(),
            "process_max_fds": _most_files(),
            "process_open_sockets": self._sockets,
            "process_threads": threading.active_count(),
            "process_cpu_ratio": self._on_cpu(),
            "process_gc_pause_worst_seconds": self.pauses.worst.value,
        }
        return tuple(
            Sample(f"switchyard_{name}", self._labels, value)
            for name, value in figures.items()
            if value is not None
        )

    def counters(self) -> tuple[Sample, ...]:
        """Time on a processor and for garbage: it outlives the process like all that is counted."""
        counted = {
            "process_cpu_seconds_total": time.process_time(),
            "process_gc_pause_seconds_total": self.pauses.seconds,
            "process_gc_collections_total": self.pauses.collections,
        }
        return tuple(
            Sample(f"switchyard_{name}", self._labels, value) for name, value in counted.items()
        )

    def _resident(self) -> int:
        try:
            pages = int((self._proc / "statm").read_text(encoding="ascii").split()[1])
        except OSError:  # no /proc: the peak is the next best
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return pages * resource.getpagesize()

    def _walk(self) -> None:
        """What is resident with what is shared divided among those who share it, so that sums of it
        are true; and which of the open files are sockets. The kernel walks all pages for the one,
        and each file is asked for the other, so this is done every ten seconds only.
        """
        now = self._clock()
        if now >= self._next_walk:
            self._next_walk = now + _PSS_EVERY_S
            self._pss = _kilobytes(self._proc / "smaps_rollup", "Pss:")
            self._sockets = _sockets(self._proc / "fd")

    def _on_cpu(self) -> float | None:
        """The share of one processor over the last five seconds or a little more."""
        now, spent = self._clock(), time.process_time()
        before = self._cpu_read
        if before is None or now - before[0] >= _CPU_OVER_S:
            self._cpu_read = (now, spent)
            if before is not None:
                self._cpu = max(0.0, spent - before[1]) / (now - before[0])
        return self._cpu

    def _open_files(self) -> int | None:
        try:
            return len(os.listdir(self._proc / "fd"))  # noqa: PTH208 - no Path a file, each second
        except OSError:
            return None


def _sockets(folder: Path) -> int | None:
    found = 0
    try:
        names = os.listdir(folder)  # noqa: PTH208 - as above
    except OSError:
        return None
    for name in names:
        try:
            found += os.readlink(folder / name).startswith("socket:")  # noqa: PTH115 - as above
        except OSError:
            continue  # closed meanwhile
    return found


def _most_files() -> int | None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def _kilobytes(path: Path, field: str) -> int | None:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field)), None)


PROBES: Final = Probes()
