"""`manage.py up`: everything on this machine, from the servers to the web, until Ctrl-C."""

import argparse
import sys
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import OperationalError

from console import env
from console.embedded.stack import ADMIN_MADE
from console.embedded.up import run

ADMIN = "admin"


class Command(BaseCommand):
    help = "Starts the servers that are not configured, then web, worker and beat."
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        # What `up` runs in a process of its own, once the servers are there.
        parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)

    def handle(self, *, prepare: bool, **_: Any) -> None:
        sys.exit(self._prepare() if prepare else run())

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
