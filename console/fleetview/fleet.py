"""Who can be asked: the worker processes heard of, at one moment."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from monitoring import snapshots
from monitoring.snapshots import WorkerSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """`reachable` is false where nobody could be asked: then nothing is known of any worker."""

    reachable: bool
    workers: tuple[WorkerSnapshot, ...]
    read_at: datetime

    @property
    def up(self) -> tuple[WorkerSnapshot, ...]:
        """Those whose word is of the last seconds: only they count in figures."""
        return tuple(worker for worker in self.workers if worker.state == "up")

    @property
    def stale(self) -> int:
        """Silent for a while: they may still be at work, and may not have heard."""
        return sum(worker.state == "stale" for worker in self.workers)

    def acknowledged(self, revision: int) -> int:
        """How many of `heard` obey what was wanted at `revision`."""
        return sum((worker.acknowledged or 0) >= revision for worker in self._heard())

    @property
    def heard(self) -> int:
        """Up or stale: all that may be at work, and so should obey."""
        return len(self._heard())

    def _heard(self) -> list[WorkerSnapshot]:
        return [worker for worker in self.workers if worker.state != "gone"]


def look() -> Fleet:
    found = snapshots.workers()
    return Fleet(reachable=found is not None, workers=tuple(found or ()), read_at=timezone.now())
