"""`manage.py capacity`: whether the fleet's numbers can work, before an outage says so."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from console import capacity
from console.capacity import MOST_WORKERS, Inputs, Limit, NotNumbers
from console.capacity.limit import as_json
from console.pages.limits import used

HOLDS, VIOLATED, NOT_KNOWN = 0, 1, 2
_SIGN = {"violated": "BROKEN ", "unknown": "no data", "holds": "holds  "}


class Command(BaseCommand):
    help = (
        "Holds the fleet's numbers against every limit, violations first. Exit 0 all hold, 1 one "
        "does not, 2 could not run, or not every limit is known."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--workers", type=int, metavar="N", help="as if so many ran; default: as they are")
        add("--given", type=Path, metavar="FILE", help="numbers of a JSON file, not of this fleet")
        add("--json", action="store_true", help="one object instead of words")

    def handle(self, **options: Any) -> None:
        workers = options["workers"]
        if workers is not None and not 1 <= workers <= MOST_WORKERS:
            text = f"--workers {workers} is not a whole number from 1 to {MOST_WORKERS}."
            raise CommandError(text, returncode=NOT_KNOWN)
        limits = _limits(options["given"], workers)
        if options["json"]:
            self.stdout.write(json.dumps(_object(limits)))
        else:
            for one in limits:
                self._say(one)
            self.stdout.write(_sum(limits))
        if capacity.violated(limits):
            sys.exit(VIOLATED)
        if capacity.unknown(limits):
            sys.exit(NOT_KNOWN)

    def _say(self, one: Limit) -> None:
        self.stdout.write(f"{_SIGN[one.standing]} {one.key}: {used(one, thin=' ')}")
        if one.standing != "holds":
            self.stdout.write(f"        {one.explains}")
        if one.fix:
            self.stdout.write(f"        {one.fix}")


def _limits(path: Path | None, workers: int | None) -> tuple[Limit, ...]:
    if path is None:
        return capacity.limits(workers)
    inputs = _given(path)
    return capacity.judge(inputs if workers is None else capacity.what_if(inputs, workers))


def _given(path: Path) -> Inputs:
    try:
        return capacity.given(path.read_bytes())
    except OSError as exc:
        text = f"--given {path} cannot be read: {exc.strerror}."
        raise CommandError(text, returncode=NOT_KNOWN) from exc
    except NotNumbers as exc:
        text = f"--given {path} holds no numbers of a fleet: {exc}."
        raise CommandError(text, returncode=NOT_KNOWN) from exc


def _object(limits: tuple[Limit, ...]) -> dict[str, Any]:
    return {
        "holds": not capacity.violated(limits) and not capacity.unknown(limits),
        "violated": [one.key for one in capacity.violated(limits)],
        "unknown": [one.key for one in capacity.unknown(limits)],
        "limits": [as_json(one) for one in limits],
    }


def _sum(limits: tuple[Limit, ...]) -> str:
    broken, unknown = len(capacity.violated(limits)), len(capacity.unknown(limits))
    if not broken and not unknown:
        return f"All {len(limits)} limits hold."
    said = f"{broken} of {len(limits)} limits {'is' if broken == 1 else 'are'} broken"
    return said + (f", {unknown} not known: no data is never fine." if unknown else ".")
