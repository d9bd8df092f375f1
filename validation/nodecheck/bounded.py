"""Waits for what cannot be cancelled, such as the resolving of a name, for a bounded time."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

# How long a thread that is past its time is waited for.
_GRACE_S = 0.5

_log = structlog.get_logger(__name__)


def in_time[T](ask: Callable[[], Coroutine[Any, Any, T]], within_s: float) -> T | None:
    """What `ask` gives, or raises; None where it is not back. A resolver cannot be cancelled: the
    thread that waits for it is left behind, and ends when it does.
    """
    told: list[T] = []
    failed: list[BaseException] = []
    is_left = threading.Event()

    def run() -> None:
        try:
            told.append(asyncio.run(ask()))
        except BaseException as exc:  # noqa: BLE001 - raised again in the caller's thread
            failed.append(exc)
            if is_left.is_set():  # nobody waits for it any more
                _log.warning("in_time.failed_late", exc_info=exc)

    thread = threading.Thread(target=run, name="in-time", daemon=True)
    thread.start()
    thread.join(within_s + _GRACE_S)
    if failed:
        raise failed[0]
    if not told:
        is_left.set()
        return None
    return told[0]
