"""The one event loop of a worker process, in one daemon thread, started after the fork."""

import asyncio
import concurrent.futures
import contextlib
import os
import threading
from collections.abc import Coroutine
from typing import Any

import uvloop

_STOP_WAIT_S = 5.0


class Portal:
    """Carries coroutines from threads into the loop. Never start one before a fork."""

    def __init__(self, *, name: str = "rpc-portal") -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0

    def start(self) -> None:
        """Starts the thread; a second call does nothing."""
        with self._lock:
            if self._thread is not None and self._pid == os.getpid():
                return
            # A child that forked after a start owns neither the thread nor the loop it copied.
            loop = uvloop.new_event_loop()
            ready = threading.Event()
            thread = threading.Thread(target=_run, args=(loop, ready), name=self._name, daemon=True)
            thread.start()
            ready.wait()
            self._loop, self._thread, self._pid = loop, thread, os.getpid()

    @property
    def is_running(self) -> bool:
        return self._thread is not None and self._pid == os.getpid() and self._thread.is_alive()

    def submit[T](self, coro: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Starts the coroutine in the loop; the future may be waited for or cancelled."""
        loop = self._loop
        if loop is None or not self.is_running:
            coro.close()
            raise RuntimeError(
                "the portal is not running in this process: call start() after the fork"
            )
        return asyncio.run_coroutine_threadsafe(coro, loop)

    def run[T](self, coro: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
        """The coroutine's value. After `timeout_s` it is cancelled and TimeoutError raised."""
        if threading.current_thread() is self._thread:
            coro.close()
            raise RuntimeError(
                "run() from the portal's own thread would wait for itself: await instead"
            )
        future = self.submit(coro)
        try:
            return future.result(timeout_s)
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """Cancels what runs, ends the loop and joins the thread; harmless when not running."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None or self._pid != os.getpid():
            return
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            loop.call_soon_threadsafe(loop.stop)
        thread.join(_STOP_WAIT_S)


def _run(loop: asyncio.AbstractEventLoop, ready: threading.Event) -> None:
    asyncio.set_event_loop(loop)
    loop.call_soon(ready.set)
    try:
        loop.run_forever()
    finally:
        _cancel_all(loop)
        loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        loop.close()


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
