"""`manage.py verify FILE`: verifies an exported proof bundle, with no network and no server."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from validation import evidence
from validation.evidence import telling
from validation.printable import printable

VERIFIES, DOES_NOT, CANNOT_READ = 0, 1, 2
PIPE_CLOSED = 128 + signal.SIGPIPE


class Command(BaseCommand):
    help = "Verifies a proof bundle that the console or the API exported. 0 verifies, 1 does not."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the bundle; - reads standard input")
        parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")

    def handle(self, *_: Any, **options: Any) -> None:
        name = options["file"]
        try:
            finding = evidence.verify(_read(name))
            _print(finding, as_json=options["json"])
        except evidence.BundleError as exc:
            sys.stderr.write(f"verify: {_shown(name)}: {printable(str(exc))}.\n")
            sys.exit(CANNOT_READ)
        except OSError as exc:
            sys.stderr.write(f"verify: {_shown(name)}: {exc.strerror or exc}.\n")
            sys.exit(CANNOT_READ)
        sys.exit(VERIFIES if finding.same else DOES_NOT)


def _read(name: str) -> bytes:
    """No more than a bundle may have, and a byte by which it is seen to have more."""
    most = evidence.MOST_BYTES + 1
    if name == "-":
        return sys.stdin.buffer.read(most)
    with Path(name).open("rb") as stream:
        return stream.read(most)


def _print(finding: evidence.Finding, *, as_json: bool) -> None:
    try:
        if as_json:
            told = {
                "same": finding.same,
                "differences": finding.differences,
                "outcome": finding.outcome,
            }
            # In ASCII: a control character beyond it stands bare in other JSON.
            print(json.dumps(msgspec.to_builtins(told), separators=(",", ":")), flush=True)
        else:
            print("\n".join(telling.lines(finding, ours=settings.CHECKPOINT)), flush=True)
    except BrokenPipeError:
        # `| head` has seen enough. What is still buffered must not complain at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(PIPE_CLOSED)


def _shown(name: str) -> str:
    return "standard input" if name == "-" else printable(name)
