"""Waits for what cannot be cancelled, such as the resolving of a name, for a bounded time."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

# How long a thread that is past its time is waited for.
_GRACE_S = 0.5


def in_time[T](ask: Callable[[], Coroutine[Any, Any, T]], within_s: float) -> T | None:
    """What `ask` gives; None where it is not back. A resolver cannot be cancelled: the thread that
    waits for it is left behind, and ends when it does.
    """
    told: list[T] = []
    thread = threading.Thread(
        target=lambda: told.append(asyncio.run(ask())), name="node-test", daemon=True
    )
    thread.start()
    thread.join(within_s + _GRACE_S)
    return told[0] if told else None
