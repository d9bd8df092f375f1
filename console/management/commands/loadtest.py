"""`manage.py loadtest`: runs one of the sources' load scenarios and judges it by its criteria."""

import sys
import time
from argparse import ArgumentParser
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from console.loadtests.criteria import CannotRun, Criterion, Outcome
from console.loadtests.table import SCENARIOS, Scenario
from validation.devnode.errors import DevnodeError

PASSED, FAILED, NOT_RUN = 0, 1, 2


class Command(BaseCommand):
    help = (
        "Runs a load scenario of the sources; prints each criterion with what was wanted and what "
        "was measured. Exit 0 all hold, 1 one does not, 2 could not run, 130 interrupted."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        listed = "; ".join(f"{each.name}: {each.says}" for each in SCENARIOS.values())
        parser.add_argument("scenario", metavar="SCENARIO", help=listed)
        parser.add_argument("--json", action="store_true", help="one JSON object")
        parser.add_argument("--url", help="the console's, for connection-storm; default HOST:PORT")

    def handle(self, *, scenario: str, json: bool, url: str | None, **_: Any) -> None:
        known = SCENARIOS.get(scenario)
        if known is None:
            names = ", ".join(SCENARIOS)
            raise CommandError(f"{scenario[:40]!r} is none of {names}.", returncode=NOT_RUN)
        began = time.monotonic()
        try:
            outcome = known.run(url or _console())
        except (CannotRun, DevnodeError) as exc:
            raise CommandError(f"{scenario}: {exc}", returncode=NOT_RUN) from exc
        except DatabaseError as exc:
            said = str(exc).partition("\n")[0]
            text = f"{scenario}: the database does not answer: {said}"
            raise CommandError(text, returncode=NOT_RUN) from exc
        except KeyboardInterrupt:
            self.stderr.write("Interrupted.")
            sys.exit(130)
        took_s = time.monotonic() - began
        self.stdout.write(_as_json(known, outcome, took_s) if json else _as_text(known, outcome))
        sys.exit(PASSED if outcome.passed else FAILED)


def _console() -> str:
    host = settings.HOST if settings.HOST not in {"0.0.0.0", "::", ""} else "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.PORT}/"


def _as_text(scenario: Scenario, outcome: Outcome) -> str:
    lines = [f"{scenario.name}: {scenario.says}", *map(_line, outcome.criteria)]
    lines += [f"      {name}: {value}" for name, value in outcome.figures.items()]
    held = sum(criterion.holds for criterion in outcome.criteria)
    lines.append(f"{held} of {len(outcome.criteria)} criteria hold.")
    return "\n".join(lines)


def _line(criterion: Criterion) -> str:
    measured = "no data" if criterion.measured is None else _number(criterion.measured)
    unit = f" {criterion.unit}" if criterion.unit else ""
    return (
        f"{'pass' if criterion.holds else 'FAIL'}  {criterion.name}: {measured}"
        f"{unit if criterion.measured is not None else ''}, wanted {criterion.sign} "
        f"{_number(criterion.wanted)}{unit} ({criterion.source})"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ") if value == int(value) else f"{value:.3g}"


def _as_json(scenario: Scenario, outcome: Outcome, took_s: float) -> str:
    told = {
        "scenario": scenario.name,
        "passed": outcome.passed,
        "took_s": round(took_s, 2),
        "criteria": [
            {
                "name": each.name,
                "sign": each.sign,
                "wanted": each.wanted,
                "measured": each.measured,
                "unit": each.unit,
                "holds": each.holds,
                "source": each.source,
            }
            for each in outcome.criteria
        ],
        "figures": dict(outcome.figures),
    }
    return msgspec.json.encode(told).decode()
