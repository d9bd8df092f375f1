"""`manage.py experiment OPTIMISATION|CLAIM`: measures what is claimed, and says what came of it."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import Error, InterfaceError
from psycopg_pool import PoolTimeout, TooManyRequests

from console.experiments import claims, measuring, running, shipping, standing, tasks, telling
from console.experiments.acts import MOST_PAIRS
from console.experiments.claims import Claim
from console.experiments.models import Experiment, State
from console.management.acting import actor
from console.management.ending import ending
from console.roadmap.effects import LEAST_PAIRS

DONE, NOT_MEASURED, NOT_RUN, INTERRUPTED = 0, 1, 2, 130
_SHOWN = 40
_DATABASE = (Error, InterfaceError, PoolTimeout, TooManyRequests)


class Command(BaseCommand):
    help = (
        "Measures a claim, or all of an optimisation or flag, on engines and a node of its own: "
        "claimed against measured, with interval, machine, revisions and how to repeat it. Exit 0 "
        "measured, whatever the verdict; 1 one was not; 2 could not run; 130 interrupted."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="OPTIMISATION|CLAIM|FLAG", nargs="?")
        parser.add_argument("--json", action="store_true", help="an object a line, raw data too")
        parser.add_argument("--pairs", type=int, metavar="N", help=f"{LEAST_PAIRS} to {MOST_PAIRS}")
        parser.add_argument("--seed", type=int, metavar="N", help="to repeat one, as it says")
        parser.add_argument("--background", action="store_true", help="leaves it to the workers")
        parser.add_argument("--claims", action="store_true", help="names all claims and ends")
        parser.add_argument("--list", action="store_true", help="the last experiments, and ends")
        parser.add_argument("--show", type=int, metavar="ID", help="what one found, and ends")
        parser.add_argument("--cancel", type=int, metavar="ID", help="ends one after its block")
        parser.add_argument(
            "--ship", type=Path, metavar="FOLDER", help="writes the last of each, as releases do"
        )
        parser.add_argument("--run", type=int, metavar="ID", help="one that waits, as workers do")

    def handle(self, **options: Any) -> None:
        try:
            with ending(measuring.Terminated):
                status = self._act(options)
        except measuring.Busy as exc:
            raise CommandError(str(exc), returncode=NOT_RUN) from exc
        except claims.BadClaim as exc:
            raise CommandError(f"data/claims.toml: {exc}.", returncode=NOT_RUN) from exc
        except ImproperlyConfigured as exc:
            text = "No database is configured: set DATABASE_URL."
            raise CommandError(text, returncode=NOT_RUN) from exc
        except _DATABASE as exc:
            first = (str(exc).strip() or type(exc).__name__).partition("\n")[0]
            text = f"The database does not answer; what was measured is kept: {first}"
            raise CommandError(text, returncode=NOT_RUN) from exc
        except (KeyboardInterrupt, measuring.Terminated):
            status = INTERRUPTED
        sys.exit(status)

    def _act(self, options: dict[str, Any]) -> int:
        if options["claims"]:
            return self._name_claims()
        if options["list"]:
            return self._list()
        if options["show"] is not None:
            return self._tell(_found(options["show"]), as_json=options["json"])
        if options["cancel"] is not None:
            return self._cancel(options["cancel"])
        if options["run"] is not None:
            return self._tell(measuring.run(_found(options["run"])), as_json=options["json"])
        return self._ship(options) if options["ship"] else self._measure(options)

    def _measure(self, options: dict[str, Any]) -> int:
        wanted, pairs = _claims_of(options["name"]), options["pairs"]
        if pairs is not None and not LEAST_PAIRS <= pairs <= MOST_PAIRS:
            text = f"--pairs must be from {LEAST_PAIRS} to {MOST_PAIRS}, not {pairs}."
            raise CommandError(text, returncode=NOT_RUN)
        status = DONE
        for claim in wanted:
            made = running.make(claim, actor(), pairs=pairs, seed=options["seed"])
            if options["background"]:
                tasks.ring(made.pk)
                self.stdout.write(f"{made} waits: --show {made.pk} tells, --cancel {made.pk} ends")
                continue
            try:
                made = measuring.run(made, tell=self._progress(claim))
            except measuring.Busy:
                running.cancel(made.pk, actor())
                raise
            status = max(status, self._tell(made, as_json=options["json"]))
            if made.state in {State.CANCELLED, State.INTERRUPTED}:
                return INTERRUPTED
        return status

    def _progress(self, claim: Claim) -> measuring.Tell:
        """Rewrites one line of a terminal; elsewhere it is silent."""

        def tell(done: int, wanted: int) -> None:
            if self.stderr.isatty():
                end = "\r" if done < wanted else "\r\033[K"
                self.stderr.write(f"{claim.key}: block {done} of {wanted}", ending=end)
                self.stderr.flush()

        return tell

    def _tell(self, experiment: Experiment, *, as_json: bool) -> int:
        if as_json:
            self.stdout.write(json.dumps(telling.as_object(experiment)))
        else:
            self.stdout.write(telling.as_words(experiment))
        return DONE if experiment.state == State.DONE else NOT_MEASURED

    def _cancel(self, pk: int) -> int:
        if not running.cancel(pk, actor()):
            state = _found(pk).state
            raise CommandError(f"Experiment {pk} is {state}: nothing to end.", returncode=NOT_RUN)
        self.stdout.write(f"experiment {pk} ends after its block")
        return DONE

    def _ship(self, options: dict[str, Any]) -> int:
        """Of what was measured here."""
        name, folder = options["name"], options["ship"]
        wanted = {claim.key for claim in (_claims_of(name) if name else claims.claims().values())}
        for each in standing.of():
            if each.key in wanted and each.newest is not None and not each.newest.shipped:
                self.stdout.write(str(shipping.write(each.newest, folder)))
        return DONE

    def _list(self) -> int:
        running.expire()
        for experiment in Experiment.objects.order_by("-created_at", "-pk")[:_SHOWN]:
            self.stdout.write(telling.line(experiment))
        return DONE

    def _name_claims(self) -> int:
        for claim in claims.claims().values():
            names = ", ".join(claim.optimisations)
            self.stdout.write(f"{claim.key:<22} {names:<26} {claim.title}")
        for each in claims.unmeasured():
            self.stdout.write(f"{each.key:<22} {', '.join(each.optimisations):<26} {each.title}")
            self.stdout.write(f"{'':<22} cannot be measured here: {each.why}")
        return DONE


def _claims_of(name: str | None) -> Sequence[Claim]:
    if name is None:
        raise CommandError(
            "Name a claim, optimisation or flag; --claims tells.", returncode=NOT_RUN
        )
    if found := claims.of(name):
        return found
    for each in claims.unmeasured():
        if name in {each.key, each.flag, *each.optimisations}:
            text = f"{each.title} ({each.says}) cannot be measured here: {each.why}"
            raise CommandError(text, returncode=NOT_RUN)
    text = f"Nothing is claimed of {name[:40]!r}; --claims names what is."
    raise CommandError(text, returncode=NOT_RUN)


def _found(pk: int) -> Experiment:
    running.expire()
    experiment = Experiment.objects.filter(pk=pk).first()
    if experiment is None:
        raise CommandError(f"There is no experiment {pk}: --list tells.", returncode=NOT_RUN)
    return experiment
