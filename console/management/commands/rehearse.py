"""`manage.py rehearse FLAG`: whether a flag can be taken back, tried on parts of its own."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import Error, InterfaceError
from psycopg_pool import PoolTimeout, TooManyRequests

from console.controls.errors import ControlError
from console.flags.catalogue import BY_KEY
from console.management.acting import actor
from console.management.ending import ending
from console.rehearsals import possible, rehearsing, running, tasks, telling
from console.rehearsals.models import Rehearsal, State
from validation.management.pipes import read_enough

PASSED, FAILED, NOT_RUN, INTERRUPTED = 0, 1, 2, 130
_SHOWN = 40
_DATABASE = (Error, InterfaceError, PoolTimeout, TooManyRequests)
_STATUS = {State.PASSED: PASSED, State.FAILED: FAILED, State.INTERRUPTED: INTERRUPTED}


class Command(BaseCommand):
    help = (
        "Rehearses a flag's way back under load: baseline, target, baseline again, on an engine "
        "and a node of its own. Measures how soon each is in force, that every unit has one right "
        "result, and that the baseline reads what the target wrote. Exit 0 passed; 1 failed: it "
        "cannot be taken back; 2 could not be run, or of two tries one failed; 130 interrupted."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("flag", metavar="FLAG", nargs="?")
        parser.add_argument("--target", metavar="V", help="one variant; else all but the baseline")
        parser.add_argument("--json", action="store_true", help="an object a line")
        parser.add_argument("--background", action="store_true", help="leaves it to the workers")
        parser.add_argument("--flags", action="store_true", help="names what can be rehearsed")
        parser.add_argument("--list", action="store_true", help="the last drills, and ends")
        parser.add_argument("--show", type=int, metavar="ID", help="what one found, and ends")
        parser.add_argument("--run", type=int, metavar="ID", help="one that waits, as workers do")

    def handle(self, **options: Any) -> None:
        try:
            with ending(rehearsing.Terminated):
                status = self._act(options)
            self.stdout.flush()
        except (rehearsing.Busy, ControlError) as exc:
            raise CommandError(str(exc), returncode=NOT_RUN) from exc
        except ImproperlyConfigured as exc:
            text = "No database is configured: set DATABASE_URL."
            raise CommandError(text, returncode=NOT_RUN) from exc
        except _DATABASE as exc:
            first = (str(exc).strip() or type(exc).__name__).partition("\n")[0]
            raise CommandError(f"The database fails: {first}", returncode=NOT_RUN) from exc
        except (KeyboardInterrupt, rehearsing.Terminated):
            status = INTERRUPTED
        except BrokenPipeError:
            status = read_enough()
        sys.exit(status)

    def _act(self, options: dict[str, Any]) -> int:
        if options["flags"]:
            return self._name_flags()
        if options["list"]:
            return self._list(as_json=options["json"])
        if options["show"] is not None:
            return self._tell(_found(options["show"]), as_json=options["json"])
        if options["run"] is not None:
            done = rehearsing.run(_found(options["run"]))
            return self._tell(done, as_json=options["json"])
        return self._rehearse(options)

    def _rehearse(self, options: dict[str, Any]) -> int:
        status = PASSED
        for target in _targets(options["flag"], options["target"]):
            if options["background"]:
                made = running.make(options["flag"], target, actor())
                tasks.ring(made.pk)
                self.stdout.write(f"{made} waits: --show {made.pk} tells")
                continue
            made = rehearsing.run_now(options["flag"], target, actor())
            status = max(status, self._tell(made, as_json=options["json"]))
            if made.state == State.INTERRUPTED:
                break
        return status

    def _tell(self, row: Rehearsal, *, as_json: bool) -> int:
        text = json.dumps(telling.as_object(row)) if as_json else telling.as_words(row)
        self.stdout.write(text)
        return _STATUS.get(State(row.state), NOT_RUN)

    def _list(self, *, as_json: bool) -> int:
        running.expire()
        for row in Rehearsal.objects.order_by("-pk")[:_SHOWN]:
            self.stdout.write(json.dumps(telling.as_object(row)) if as_json else telling.line(row))
        return PASSED

    def _name_flags(self) -> int:
        for key, definition in BY_KEY.items():
            first, *others = definition.variants
            said = possible.why_not(key) or f"{first} → {', '.join(others)}"
            self.stdout.write(f"{key:<28} {said}")
        return PASSED


def _targets(flag: str | None, target: str | None) -> Sequence[str]:
    """All that may be rehearsed before the first is: what is wrong is said at once."""
    if flag is None:
        raise CommandError("Name a flag; --flags tells which there are.", returncode=NOT_RUN)
    if target is None and not possible.why_not(flag):
        _, *others = BY_KEY[flag].variants
        return others
    possible.baseline_of(flag, target or "")
    return (target or "",)


def _found(pk: int) -> Rehearsal:
    running.expire()
    row = Rehearsal.objects.filter(pk=pk).first()
    if row is None:
        raise CommandError(f"There is no drill {pk}: --list tells.", returncode=NOT_RUN)
    return row
