"""Answers renewed behind their callers' backs: those that are about to go stale, or just did."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

_log = structlog.get_logger(__name__)


class Renewals:
    """One task a key, at most `limit` at a time; more are not renewed, and asked for when they
    have expired.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tasks: dict[bytes, asyncio.Task[Any]] = {}
        self.failed = 0

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, key: bytes, renew: Callable[[], Awaitable[Any]]) -> "asyncio.Task[Any] | None":
        """The task that renews the key, whose result is None where it failed; None: no room."""
        task = self._tasks.get(key)
        if task is None and len(self._tasks) < self._limit:
            task = self._tasks[key] = asyncio.create_task(self._run(key, renew))
        return task

    async def aclose(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, key: bytes, renew: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await renew()
        except Exception as error:  # noqa: BLE001 - whatever a factory raises: what is known stays
            self.failed += 1
            _log.debug("cache.not_renewed", error=type(error).__name__)
            return None
        finally:
            del self._tasks[key]
