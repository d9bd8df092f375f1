"""What one worker process last said of one thing, and how such words add up."""

from collections.abc import Sequence
from dataclasses import dataclass

from monitoring.snapshots import WorkerSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Row[Report]:
    """A report of `age_s` ago."""

    worker: WorkerSnapshot
    report: Report

    @property
    def process(self) -> str:
        return f"{self.worker.pid}@{self.worker.host}"

    @property
    def age_s(self) -> float:
        return self.worker.age_s

    @property
    def is_current(self) -> bool:
        """Only the word of a worker that is up says what is so now."""
        return self.worker.state == "up"


def summed(reports: Sequence[object], field: str) -> int | None:
    """None where nobody reports: that is not zero."""
    return sum(getattr(report, field) for report in reports) if reports else None


def most(reports: Sequence[object], field: str) -> float | None:
    """Of those that can say."""
    known: list[float] = [v for report in reports if (v := getattr(report, field)) is not None]
    return max(known, default=None)


def oldest(rows: Sequence[Row[object]]) -> float | None:
    """How old the oldest of these words is; None: there is none."""
    return max((row.age_s for row in rows), default=None)
