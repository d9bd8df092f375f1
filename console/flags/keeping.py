"""Writes the last known good in a thread of its own: a slow disk keeps no decision waiting."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from console.flags import last_known_good
from console.flags.last_known_good import Unusable

_STOP_S: Final = 2.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What held at one moment: the document, its revision, and when Postgres was asked for it."""

    document: Mapping[str, Any]
    revision: int
    read_at: float
    # A lower revision than before it.
    is_restored: bool


class Keeper:
    """One thread at most, while there is something to write; it writes the newest, not each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._next: Held | None = None
        self._thread: threading.Thread | None = None

    def keep(self, held: Held) -> None:
        """Returns at once."""
        with self._lock:
            self._next = held
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="flags-keeper", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Waits a little for what is being written."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout=_STOP_S)

    def _run(self) -> None:
        while (held := self._take()) is not None:
            self._save(held)

    def _take(self) -> Held | None:
        with self._lock:
            held, self._next = self._next, None
            if held is None:
                self._thread = None
            return held

    def _save(self, held: Held) -> None:
        try:
            last_known_good.save(
                self._path,
                held.document,
                held.revision,
                read_at=held.read_at,
                is_restored=held.is_restored,
            )
        except (Unusable, OSError) as exc:
            log.warning("flags.not_kept", file=str(self._path), reason=str(exc))
        except Exception:
            # A document of which JSON can be made comes next; this thread is to see it.
            log.exception("flags.not_kept", file=str(self._path))
