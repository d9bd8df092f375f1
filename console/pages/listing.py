"""Rows of validations, as the list and the overview show them."""

from collections.abc import Iterable
from dataclasses import dataclass

from console.pages import states
from console.pages.states import State
from validation import services
from validation.models import VERDICTS, Run
from validation.services import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    run: Run
    progress: Progress
    state: State

    @property
    def verdicts(self) -> list[tuple[str, int]]:
        return verdict_counts(self.progress)

    @property
    def not_valid(self) -> int:
        return self.progress.done - self.progress.valid

    @property
    def took_s(self) -> float | None:
        run = self.run
        if run.started_at is None or run.finished_at is None:
            return None
        return (run.finished_at - run.started_at).total_seconds()


def rows_of(runs: Iterable[Run]) -> list[RunRow]:
    """In the order given; the counts of all in one query."""
    found = list(runs)
    standing = services.progress([run.pk for run in found]) if found else {}
    return [row_of(run, standing[run.pk]) for run in found if run.pk in standing]


def row_of(run: Run, progress: Progress) -> RunRow:
    return RunRow(run=run, progress=progress, state=states.of_run(run, progress))


def verdict_counts(progress: Progress) -> list[tuple[str, int]]:
    return [(code, getattr(progress, code)) for code in VERDICTS]
