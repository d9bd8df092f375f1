"""Freezes the cache server: connections are accepted and nothing is ever answered."""

import signal
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from django.conf import settings

from console.embedded.processes import listener
from console.faults.fault import CannotCause, Fault, Memo

_UNIX = "unix"


def _prepare() -> Memo:
    parts = urlsplit(settings.REDIS_URL)
    if parts.scheme != _UNIX:
        raise CannotCause("The cache server is not the one that `make up` starts (REDIS_URL).")
    process = listener(Path(parts.path))
    if process is None:
        raise CannotCause(f"Nobody listens at {parts.path}: is `make up` running?")
    try:
        return {"pid": str(process.pid), "began": str(process.create_time())}
    except psutil.Error as exc:
        raise CannotCause(f"The cache server cannot be looked at: {type(exc).__name__}.") from exc


def _cause(memo: Memo) -> None:
    _signal(memo, signal.SIGSTOP)


def _heal(memo: Memo) -> None:
    _signal(memo, signal.SIGCONT)


def _signal(memo: Memo, number: signal.Signals) -> None:
    """To that process, not to another that has its number by now."""
    try:
        process = psutil.Process(int(memo["pid"]))
        if str(process.create_time()) == memo["began"]:
            process.send_signal(number)
    except psutil.NoSuchProcess:
        return  # it ended, and so did the fault
    except psutil.AccessDenied as exc:
        raise CannotCause(
            "The cache server is another user's: run this as who started it."
        ) from exc


FAULT = Fault(
    name="cache-loss",
    does="The cache server is frozen: it accepts connections and answers nothing.",
    look="/caches/ and every page's line about telemetry; validations go on from L1 and the nodes",
    rule="cache.down",
    runbook="cache-loss",
    prepare=_prepare,
    cause=_cause,
    heal=_heal,
)
