"""Tells the rest of the fleet about this process, in a thread of its own: nothing that works on an
item ever waits for the cache server.
"""

import threading
import time
from collections.abc import Callable

import redis
import structlog

from monitoring import events, snapshots

log = structlog.get_logger(__name__)

SNAPSHOT_EVERY_S = 1.0
# Many chunks may close in a moment; a page redraws twice a second at most.
_NEWS_EVERY_S = 0.1


class Reporter:
    """Publishes a snapshot each second, and topics that changed soon after `changed` names them.
    `share_with` is told how many processes live, in the fleet and on this host.
    """

    def __init__(
        self,
        snapshot: Callable[[], snapshots.WorkerSnapshot],
        share_with: Callable[[int, int], None],
    ) -> None:
        self._snapshot = snapshot
        self._share_with = share_with
        self._topics: set[str] = set()
        self._soon = False
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """The last news is told; the process itself is taken off the list."""
        self._stopping.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)
        snapshots.retire(self._snapshot().id)

    def changed(self, topic: str) -> None:
        """Any thread may call it; it costs nothing."""
        self._topics.add(topic)
        self._news.set()

    def report_soon(self) -> None:
        """The next snapshot now, not within its second. Any thread may call it."""
        self._soon = True
        self._news.set()

    def _run(self) -> None:
        next_snapshot = time.monotonic()
        while not self._stopping.is_set():
            try:
                if self._soon or time.monotonic() >= next_snapshot:
                    self._soon = False
                    next_snapshot = time.monotonic() + SNAPSHOT_EVERY_S
                    self._report()
                self._tell()
            except Exception:
                # The fleet would believe that this process is gone.
                log.exception("report.failed")
            self._stopping.wait(_NEWS_EVERY_S)
            self._news.wait(max(0.0, next_snapshot - time.monotonic()))
        self._tell()

    def _tell(self) -> None:
        self._news.clear()
        if self._topics:
            told, self._topics = self._topics, set()
            events.publish(*told)

    def _report(self) -> None:
        try:
            told = self._snapshot()
            snapshots.publish(told)
            living = snapshots.live()
        except redis.RedisError:
            return  # pages say by themselves that nobody reports
        if living:
            here = sum(snapshots.host_of(worker) == told.host for worker in living)
            self._share_with(len(living), here)
