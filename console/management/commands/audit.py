"""`manage.py audit --verify`: whether the audit trail is whole, also against the head that the
console's own check found last, and against anchors from outside.
"""

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import Error, InterfaceError, connection
from psycopg_pool import PoolTimeout, TooManyRequests

from console.access import chain, watch
from console.access.chain import Anchor, Walk
from console.access.models import AuditCheck

WHOLE, BROKEN, NOT_RUN = 0, 1, 2
_DATABASE = (Error, InterfaceError, psycopg.Error, PoolTimeout, TooManyRequests)


class Command(BaseCommand):
    help = (
        "Verifies the chain of the audit trail: computes every hash again. Exit 0 whole, 1 broken, "
        "2 could not run."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--verify", action="store_true", help="what this command does")
        parser.add_argument(
            "--anchor",
            action="append",
            default=[],
            metavar="POSITION:HASH",
            help="a head that the log told (audit.head); may be given several times",
        )
        parser.add_argument("--json", action="store_true", help="one object instead of words")

    def handle(self, **options: Any) -> None:
        if not options["verify"]:
            text = "Say what to do: audit --verify. The page /audit/ shows the trail."
            raise CommandError(text, returncode=NOT_RUN)
        try:
            anchors = [Anchor.parse(text) for text in options["anchor"]]
            walked = chain.verify([*anchors, *_last_good()])
            guarded = _is_guarded()
            reach = [one for one in anchors if one.position >= walked.begins.position]
            if reach and walked.broken is None:
                watch.vouch(walked.reached)
        except ValueError as exc:
            raise CommandError(str(exc), returncode=NOT_RUN) from exc
        except (ImproperlyConfigured, *_DATABASE) as exc:
            first = (str(exc).strip() or type(exc).__name__).partition("\n")[0]
            text = f"The trail could not be read; nothing is known of it: {first}"
            raise CommandError(text, returncode=NOT_RUN) from exc
        self.stdout.write(_json(walked, guarded=guarded) if options["json"] else _words(walked))
        if not guarded and not options["json"]:
            self.stderr.write(
                "The role that is connected owns the trail and could switch its triggers off: in "
                "production connect as another (deploy/postgres-roles.sh)."
            )
        sys.exit(BROKEN if walked.broken else WHOLE)


def _last_good() -> list[Anchor]:
    """The head that the console's own check found last while the trail was whole: rows cut off
    together with the head's row leave a trail that is whole in itself.
    """
    found = AuditCheck.objects.filter(pk=1, position__gt=0).first()
    return [Anchor(position=found.position, hash=found.hash)] if found else []


def _words(walked: Walk) -> str:
    broken = walked.broken
    if broken is None:
        since = f", behind row {walked.begins}, the last that retention dropped"
        since = since if walked.begins.position else ""
        return f"whole: {walked.rows} rows, head {walked.reached}{since}"
    return f"broken ({broken.fault}) at position {broken.position}: {broken.said}"


def _json(walked: Walk, *, guarded: bool) -> str:
    said = {
        "whole": walked.broken is None,
        "rows": walked.rows,
        "position": walked.reached.position,
        "hash": walked.reached.hash,
        "begins_after": str(walked.begins) if walked.begins.position else None,
        "broken": asdict(walked.broken) if walked.broken else None,
        "guarded": guarded,
    }
    return json.dumps(said)


def _is_guarded() -> bool:
    """Whether the triggers stand, and who is connected here could not switch them off."""
    with connection.cursor() as cursor:
        cursor.execute(_GUARDED)
        return bool(cursor.fetchone()[0])


_GUARDED = """
SELECT NOT pg_has_role(current_user, relowner, 'MEMBER')
    AND (SELECT count(*) FROM pg_trigger WHERE tgrelid = pg_class.oid AND tgenabled IN ('O', 'A')
         AND tgname IN ('audit_chain', 'audit_refuse')) = 2
FROM pg_class WHERE oid = 'access_auditentry'::regclass
"""
