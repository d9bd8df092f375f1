"""`manage.py retention [--dry-run] [--json]`: drops what the settings say is over, and says how
much there is of what is kept.
"""

import json
import sys
import time
from argparse import ArgumentParser
from typing import Any

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import Error, InterfaceError
from psycopg_pool import PoolTimeout, TooManyRequests

from console import retention
from console.management.acting import actor
from console.retention import Standing, Turn, sizes
from console.retention.policy import by_postgres

DONE, NOT_ALL, NOT_RUN = 0, 1, 2
_DATABASE = (Error, InterfaceError, psycopg.Error, PoolTimeout, TooManyRequests)
_MIB = 1 << 20
_BUDGET_S = 3600.0


class Command(BaseCommand):
    help = (
        "Drops runs, evidence, acts and alerts whose time is over (RETAIN_RUNS_DAYS, "
        "RETAIN_EVIDENCE_DAYS, RETAIN_AUDIT_DAYS, RETAIN_ALERTS_DAYS). Exit 0 done, 1 something "
        "could not be dropped, 2 could not run."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="says it, and drops nothing")
        parser.add_argument("--json", action="store_true", help="one object instead of words")

    def handle(self, **options: Any) -> None:
        done: list[Turn] = []
        try:
            if not options["dry_run"]:
                done = retention.turn(
                    actor(), now=by_postgres(), clock=time.monotonic, budget_s=_BUDGET_S
                )
            kinds, history = retention.standing(by_postgres()), sizes.history()
        except (ImproperlyConfigured, *_DATABASE) as exc:
            first = (str(exc).strip() or type(exc).__name__).partition("\n")[0]
            text = f"The database does not answer; what was dropped is on record: {first}"
            raise CommandError(text, returncode=NOT_RUN) from exc
        if options["json"]:
            self.stdout.write(_json(done, kinds, history))
        else:
            self._words(done, kinds, history)
        sys.exit(NOT_ALL if any(each.lacks for each in done) else DONE)

    def _words(self, done: list[Turn], kinds: list[Standing], history: dict[str, int]) -> None:
        for each in done:
            if each.lacks:
                self.stderr.write(f"{each.target}: not dropped: {each.lacks}.")
            else:
                self.stdout.write(f"{each.target}: {each.dropped} dropped")
        for kind in kinds:
            self.stdout.write(_line(kind))
        for name, octets in history.items():
            self.stdout.write(f"{name}: {octets / _MIB:.1f} MiB")


def _line(kind: Standing) -> str:
    rule, size = kind.rule, kind.size
    since = f"{size.oldest:%Y-%m-%d %H:%M}" if size.oldest else "nothing there"
    kept = f"{rule.days} days" if rule.days else "for ever"
    due = f"; {kind.due} due, from before {kind.before:%Y-%m-%d}" if kind.before else ""
    head = f"{rule.target}: kept {kept} ({rule.setting}), the oldest: {since}"
    return f"{head}, {size.octets / _MIB:.1f} MiB{due}"


def _json(done: list[Turn], kinds: list[Standing], history: dict[str, int]) -> str:
    dropped = {each.target: each for each in done}
    said = {
        kind.rule.target: {
            "days": kind.rule.days,
            "before": kind.before and kind.before.isoformat(),
            "due": kind.due,
            "dropped": dropped[kind.rule.target].dropped if done else None,
            "lacks": dropped[kind.rule.target].lacks if done else "",
            "bytes": kind.size.octets,
            "rows_estimated": kind.size.rows,
            "oldest": kind.size.oldest and kind.size.oldest.isoformat(),
        }
        for kind in kinds
    }
    return json.dumps({"kinds": said, "history_bytes": history})
