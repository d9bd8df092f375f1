"""Where and of what an experiment was made: machine, code, flags."""

import os
import platform
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from validation.models import ControlRevision

_SOURCES: Final = ("console", "validation", "monitoring")


def machine() -> dict[str, Any]:
    return {
        "processor": _processor(),
        "processors": os.process_cpu_count()
        if hasattr(os, "process_cpu_count")
        else os.cpu_count(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        # Of the last minute: what else it did.
        "load": round(os.getloadavg()[0], 2),
    }


@cache
def code_revision() -> str:
    """Of the sources as they are on disk; two that say the same measure the same."""
    digest = blake2b(digest_size=6)
    for name in _SOURCES:
        for path in sorted(Path(settings.BASE_DIR, name).rglob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def flag_revision() -> int:
    row = ControlRevision.objects.first()
    return 0 if row is None else row.value


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
