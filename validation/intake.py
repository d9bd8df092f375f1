"""Takes the items of a run in: counted, bounded, and COPYed into their table as they are read."""

from collections.abc import Iterable, Iterator
from itertools import islice

from django.db import connection

from validation.models import Run
from validation.refusals import MalformedItems, RunRefused
from validation.subjects import Malformed, Subject

MAX_ITEMS = 5_000_000
MALFORMED_KEPT = 1_000
# Five million items take a minute; a deployment bounds statements by less.
TAKE_TIME = "SET LOCAL statement_timeout = '10min'"
_COPY_ROWS = 10_000


class Intake:
    """Streams entries into the item table by COPY and counts them."""

    def __init__(self, run: Run, *, keep_going: bool) -> None:
        self.run = run
        self.keep_going = keep_going
        self.malformed_count = 0
        self.malformed: list[Malformed] = []
        self.kinds: dict[str, int] = {}
        self.first = ""

    def copy(self, entries: Iterable[Subject | Malformed]) -> None:
        subjects = self._subjects(entries)
        total = 0
        with connection.wrap_database_errors, connection.cursor() as cursor:
            cursor.execute(TAKE_TIME)
            copy_in = cursor.copy("COPY validation_item (run_id, ordinal, subject) FROM STDIN")
            with copy_in as copy:
                while rows := list(islice(subjects, _COPY_ROWS)):
                    lines = [f"{self.run.pk}\t{n}\t{s}\n" for n, s in enumerate(rows, total)]
                    copy.write("".join(lines).encode())
                    total += len(rows)
        if self.malformed and not self.keep_going:
            raise MalformedItems(self.malformed, self.malformed_count)
        if not total:
            if self.malformed:
                raise MalformedItems(self.malformed, self.malformed_count)
            raise RunRefused("There is nothing to validate: give at least one subject.")
        self.run.total = total
        self.run.malformed_count = self.malformed_count
        self.run.malformed = [
            {"line": m.line, "text": m.text, "reason": m.reason} for m in self.malformed
        ]

    def _subjects(self, entries: Iterable[Subject | Malformed]) -> Iterator[str]:
        kinds = self.kinds
        count = 0
        for entry in entries:
            if isinstance(entry, Malformed):
                self.malformed_count += 1
                if len(self.malformed) < MALFORMED_KEPT:
                    self.malformed.append(entry)
                continue
            if self.malformed and not self.keep_going:
                continue  # only the report is wanted now
            count += 1
            if count > MAX_ITEMS:
                raise RunRefused(f"A run holds at most {MAX_ITEMS:,} items: split this one.")
            kinds[entry.kind] = kinds.get(entry.kind, 0) + 1
            subject = str(entry)
            self.first = self.first or subject
            yield subject

    def title(self) -> str:
        if sum(self.kinds.values()) == 1:
            return self.first
        return ", ".join(_counted(count, _NAMES[kind]) for kind, count in self.kinds.items())


_NAMES = {
    "tx": ("transaction", "transactions"),
    "block": ("block", "blocks"),
    "address": ("address", "addresses"),
    "head": ("head", "heads"),
}


def _counted(count: int, names: tuple[str, str]) -> str:
    """As pages write numbers: 10 000 blocks, with narrow spaces that do not break."""
    return f"{count:,} {names[count != 1]}".replace(",", "\u202f")
