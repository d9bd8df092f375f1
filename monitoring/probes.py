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

from monitoring.samples import Sample

_PSS_EVERY_S = 10.0
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
        self._next_pss = float("-inf")

    def __call__(self) -> tuple[Sample, ...]:
        figures = {
            "processes": 1,
            "process_resident_memory_bytes": self._resident(),
            "process_proportional_memory_bytes": self._proportional(),
            "process_open_fds": self._open_files(),
            "process_threads": threading.active_count(),
        }
        return tuple(
            Sample(f"switchyard_{name}", self._labels, value)
            for name, value in figures.items()
            if value is not None
        )

    def counters(self) -> tuple[Sample, ...]:
        """Time on a processor, which outlives the process like all that is counted."""
        seconds = time.process_time()
        return (Sample("switchyard_process_cpu_seconds_total", self._labels, seconds),)

    def _resident(self) -> int:
        try:
            pages = int((self._proc / "statm").read_text(encoding="ascii").split()[1])
        except OSError:  # no /proc: the peak is the next best
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return pages * resource.getpagesize()

    def _proportional(self) -> int | None:
        """Resident, with what is shared divided among those who share it: sums of it are true.

        The kernel walks all pages for it, so it is asked every ten seconds only.
        """
        now = self._clock()
        if now >= self._next_pss:
            self._next_pss = now + _PSS_EVERY_S
            self._pss = _kilobytes(self._proc / "smaps_rollup", "Pss:")
        return self._pss

    def _open_files(self) -> int | None:
        try:
            return len(os.listdir(self._proc / "fd"))  # noqa: PTH208 - no Path a file, each second
        except OSError:
            return None


def _kilobytes(path: Path, field: str) -> int | None:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field)), None)


PROBES: Final = Probes()
