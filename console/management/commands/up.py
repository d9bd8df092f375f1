"""`manage.py up`: everything on this machine, from the servers to the web, until Ctrl-C."""

import argparse
import sys
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from console import env
from console.embedded.keys import ADMIN_MADE

ADMIN = "admin"


class Command(BaseCommand):
    help = "Starts the servers that are not configured, then web, worker and beat."
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        # What `up` runs in a process of its own, once the servers are there.
        parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)

    def handle(self, *, prepare: bool, **_: Any) -> None:
        sys.exit(self._prepare() if prepare else self._run())

    def _run(self) -> int:
        try:
            # A deployment has neither these packages nor a use for them.
            from console.embedded.up import run  # noqa: PLC0415 - what is absent there is named
        except ModuleNotFoundError as exc:
            raise CommandError(
                f"{exc.name} is not installed: `make up` installs what `up` needs."
            ) from exc
        return run()

    def _prepare(self) -> int:
        try:
            call_command("migrate", interactive=False, verbosity=0)
        except OperationalError as exc:
            self.stderr.write(f"DATABASE_URL does not lead to a database: {_first_line(exc)}")
            return 2
        users = get_user_model()
        if users.objects.filter(username=ADMIN).exists():
            return 0
        users.objects.create_superuser(ADMIN, password=env.text("SWITCHYARD_ADMIN_PASSWORD"))
        return ADMIN_MADE


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
