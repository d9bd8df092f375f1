"""Rehearses what is set on database sessions: on one of a drill's own, as a worker has it."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg

from console.flags.catalogue import BY_KEY
from console.rehearsals.drilling import Entries, NotShown
from console.rehearsals.load import Answer
from monitoring.pooler import is_pooled
from validation import wiring
from validation.timeouts import SessionTimeouts

# So few that the change is obeyed in time where each takes a quarter of a second.
_CHUNK: Final = 5
_UNITS: Final = 600
_PAUSE_S: Final = 0.01


class Statements:
    load = f"chunks of {_CHUNK} statements on one session"
    chunk = _CHUNK

    def __init__(self, link: psycopg.Connection[Any], flag: str, baseline: str) -> None:
        self.units: Sequence[str] = [str(number) for number in range(_UNITS)]
        self._link, self._flag = link, flag
        self._timeouts = SessionTimeouts()
        self.switch(baseline)
        self._told = self._obey()

    def switch(self, variant: str) -> None:
        self._timeouts.set(self._value(variant))

    def told(self) -> str:
        """By Postgres' own word at the last chunk: asked of it here, the load would wait."""
        return self._told

    def expected(self, variant: str) -> str:
        return f"{self._value(variant)} ms"

    def ask(self, units: Sequence[str]) -> list[Answer]:
        try:
            self._told = self._obey()
        except psycopg.errors.QueryCanceled as exc:  # which is what the flag decides, here too
            return [Answer(unit=unit, said="", wrong=str(exc)) for unit in units]
        time.sleep(_PAUSE_S)
        return [self._one(unit) for unit in units]

    def mark(self) -> None:
        return

    def read(self, variant: str, said: Mapping[str, str]) -> Entries | None:
        del variant, said
        return None

    def _obey(self) -> str:
        """As a worker does between its chunks; what Postgres says then."""
        self._timeouts.obey(self._link)
        asked = "SELECT setting FROM pg_settings WHERE name = 'statement_timeout'"
        row = self._link.execute(asked).fetchone()
        return f"{row[0]} ms" if row else ""

    def _one(self, unit: str) -> Answer:
        try:
            row = self._link.execute("SELECT %s::text", [unit]).fetchone()
        except psycopg.errors.QueryCanceled as exc:  # which is what the flag decides
            return Answer(unit=unit, said="", wrong=str(exc))
        said = str(row[0]) if row else "no row"
        return Answer(unit=said, said=said)

    def _value(self, variant: str) -> int:
        value: int = BY_KEY[self._flag].variants[variant]
        return value


@contextmanager
def statements(flag: str, baseline: str) -> Iterator[Statements]:
    with wiring.connect() as link:
        if is_pooled(link):
            raise NotShown(
                "Behind a pooler the role's own settings hold, whatever the flag says: there is "
                "nothing to rehearse."
            )
        yield Statements(link, flag, baseline)
