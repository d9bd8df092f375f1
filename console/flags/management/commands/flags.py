"""`manage.py flags export|import FILE` and `load`: flags as a file of flagd's format."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from console.controls.errors import ControlError
from console.flags import flagd_file, importing, loading
from console.flags.models import Flag
from console.management.acting import actor
from validation.models import Control, ControlKind


class Command(BaseCommand):
    help = "Exports all flags as a file that any flagd evaluates, or takes them from one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        export = acts.add_parser("export", help="write all flags")
        export.add_argument("file", help="where to; - is standard output")
        taken = acts.add_parser("import", help="take flags: all of the file or nothing")
        taken.add_argument("file", help="where from; - is standard input")
        taken.add_argument("--reason", required=True, help="why, for the audit trail")
        acts.add_parser("load", help="bring this release's flags, as a migration does")

    def handle(self, *_: Any, **options: Any) -> None:
        {"export": self._export, "import": self._import, "load": self._load}[options["act"]](
            options
        )

    def _export(self, options: dict[str, Any]) -> None:
        row = Control.objects.filter(kind=ControlKind.FLAGS, name="").first()
        text = flagd_file.write(Flag.objects.all(), revision=row.revision if row else 0)
        if options["file"] == "-":
            self.stdout.write(text, ending="")
            return
        try:
            Path(options["file"]).write_text(text, encoding="utf-8")
        except OSError as exc:
            raise CommandError(f"{options['file']}: cannot be written: {exc.strerror}.") from exc
        self.stderr.write(f"{options['file']}: {Flag.objects.count()} flags.")

    def _import(self, options: dict[str, Any]) -> None:
        try:
            document = flagd_file.parse(_text(options["file"]))
            found = importing.import_file(actor(), document, reason=options["reason"])
        except ControlError as exc:
            raise CommandError(f"{options['file']}: {exc} Nothing was imported.") from exc
        for name in ("created", "edited"):
            for key in getattr(found, name):
                self.stdout.write(f"{name} {key}")
        self.stderr.write(f"{len(found.unchanged)} flags were as the file has them.")

    def _load(self, _: dict[str, Any]) -> None:
        for key in loading.load():
            self.stdout.write(key)


def _text(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as exc:
        raise CommandError(f"{file}: cannot be read: {exc.strerror}.") from exc
    except UnicodeDecodeError as exc:
        raise CommandError(f"{file}: is not text in UTF-8 (byte {exc.start}).") from exc
