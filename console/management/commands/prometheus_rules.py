"""`manage.py prometheus_rules`: the catalogue of alerts as a file of rules for Prometheus."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from monitoring.alerts.catalogue import RULES
from monitoring.alerts.rules_file import document


class Command(BaseCommand):
    help = "Writes recording and alert rules for Prometheus, as in deploy/prometheus/rules.yml."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", type=Path, help="a file, instead of the terminal")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        text = document(RULES.values())
        path: Path | None = options["output"]
        if path is None:
            self.stdout.write(text, ending="")
            return
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as exc:
            raise CommandError(f"{path} cannot be written: {exc.strerror}.") from exc
        self.stdout.write(f"{path}: {text.count('alert:')} alerts, {text.count('record:')} records")
