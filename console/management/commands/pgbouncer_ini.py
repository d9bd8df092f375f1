"""`manage.py pgbouncer_ini`: writes a PgBouncer configuration that fits the fleet."""

from argparse import ArgumentParser
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from console import pgbouncer
from console.pgbouncer import Beside, Fleet, Mode, Place, Server, ThroughPooler, Unfit

UNFIT, NOT_RUN = 1, 2
_MOST = 100_000


class Command(BaseCommand):
    help = (
        "Writes a pgbouncer.ini for this fleet, with max_connections read from Postgres. "
        "Exit 0 written, 1 the numbers cannot fit, 2 could not run."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--mode", choices=[str(mode) for mode in Mode], default=str(Mode.TRANSACTION))
        add("--workers", type=int, default=settings.WORKERS, help="of the fleet; default: WORKERS")
        add("--web", type=int, default=1, help="web processes; default 1")
        add("--pool", type=int, default=settings.DB_POOL_MAX, help="of each; default: DB_POOL_MAX")
        add("--max-connections", type=int, help="of Postgres, in place of what it says now")
        add("--listen", default="127.0.0.1", metavar="ADDRESS", help="where PgBouncer listens")
        add("--port", type=int, default=6432, help="default 6432")
        add("--auth-file", default="/etc/pgbouncer/userlist.txt", metavar="FILE")
        add("--output", type=Path, metavar="FILE", help="instead of standard output")

    def handle(self, **options: Any) -> None:
        for name, low in (("workers", 0), ("web", 0), ("pool", 1), ("port", 1)):
            if not low <= options[name] <= _MOST:
                text = f"--{name} {options[name]} is not a whole number from {low} to {_MOST}."
                raise CommandError(text, returncode=NOT_RUN)
        if options["max_connections"] is not None and options["max_connections"] < 1:
            text = f"--max-connections {options['max_connections']} is not a number from 1."
            raise CommandError(text, returncode=NOT_RUN)
        server, user = _server(options["max_connections"])
        fleet = Fleet(
            workers=options["workers"],
            web=options["web"],
            pool=options["pool"],
            beside=Beside.of(
                replicas=bool(settings.REPLICAS), destinations=len(settings.NOTIFY_DESTINATIONS)
            ),
        )
        try:
            sizes = pgbouncer.fit(fleet, server.room, Mode(options["mode"]))
        except Unfit as exc:
            raise CommandError(str(exc), returncode=UNFIT) from exc
        place = Place(
            listen=options["listen"],
            port=options["port"],
            auth_file=options["auth_file"],
            user=user,
        )
        self._put(pgbouncer.written(server, fleet, sizes, place), options["output"])

    def _put(self, text: str, path: Path | None) -> None:
        if path is None:
            self.stdout.write(text, ending="")
            return
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as exc:
            said = f"--output {path} cannot be written: {exc.strerror}."
            raise CommandError(said, returncode=NOT_RUN) from exc
        self.stdout.write(f"wrote {path}")


def _server(max_connections: int | None) -> tuple[Server, str]:
    """Postgres itself, and the name of the application's role."""
    name = "DATABASE_OWNER_URL" if settings.DATABASE_OWNER_URL else "DATABASE_URL"
    try:
        params = connections["default"].get_connection_params()
        url = settings.DATABASE_OWNER_URL
        direct = psycopg.connect(url, connect_timeout=5) if url else psycopg.connect(**params)
        with closing(direct):
            server = pgbouncer.look(direct)
            user = params.get("user") or direct.info.user
    except ThroughPooler as exc:
        text = f"{name} leads to a pooler: set DATABASE_OWNER_URL to Postgres itself."
        raise CommandError(text, returncode=NOT_RUN) from exc
    except ImproperlyConfigured as exc:
        text = "No database is configured: set DATABASE_URL."
        raise CommandError(text, returncode=NOT_RUN) from exc
    except psycopg.Error as exc:
        first = (str(exc).strip() or type(exc).__name__).partition("\n")[0]
        text = f"{name}: Postgres does not answer: {first}"
        raise CommandError(text, returncode=NOT_RUN) from exc
    if max_connections is not None:
        server = replace(server, room=replace(server.room, max_connections=max_connections))
    return server, user
