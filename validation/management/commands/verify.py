"""`manage.py verify FILE`: verifies an exported proof bundle, with no network and no server."""

import json
import sys
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from validation import evidence
from validation.checkpoint import Checkpoint
from validation.evidence import telling, trust
from validation.management.pipes import read_enough
from validation.printable import printable

VERIFIES, DOES_NOT, CANNOT_READ = 0, 1, 2


class Command(BaseCommand):
    help = "Verifies a proof bundle that the console or the API exported. 0 verifies, 1 does not."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the bundle; - reads standard input")
        parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
        parser.add_argument(
            "--checkpoint",
            metavar="NUMBER:HASH",
            type=_checkpoint,
            help="the block that you trust; otherwise that of CHECKPOINT, where it is set",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        name = options["file"]
        try:
            ours = _ours(options["checkpoint"])
            finding = evidence.verify(_read(name))
            _print(finding, ours, as_json=options["json"])
        except evidence.BundleError as exc:
            sys.stderr.write(f"verify: {_shown(name)}: {printable(str(exc))}.\n")
            sys.exit(CANNOT_READ)
        except OSError as exc:
            sys.stderr.write(f"verify: {_shown(name)}: {exc.strerror or exc}.\n")
            sys.exit(CANNOT_READ)
        is_ours = not any(trust.differences(finding.bundle, ours))
        sys.exit(VERIFIES if finding.same and is_ours else DOES_NOT)


def _ours(checkpoint: Checkpoint | None) -> trust.Ours:
    return trust.Ours(checkpoint=checkpoint or settings.CHECKPOINT, chain_id=settings.NODE_CHAIN_ID)


def _checkpoint(text: str) -> Checkpoint:
    try:
        return Checkpoint.parse(text)
    except ValueError as exc:
        raise ArgumentTypeError(f"{text}: {exc}") from None


def _read(name: str) -> bytes:
    """No more than a bundle may have, and a byte by which it is seen to have more."""
    most = evidence.MOST_BYTES + 1
    if name == "-":
        return sys.stdin.buffer.read(most)
    with Path(name).open("rb") as stream:
        return stream.read(most)


def _print(finding: evidence.Finding, ours: trust.Ours, *, as_json: bool) -> None:
    try:
        if as_json:
            told = _told(finding, ours)
            # In ASCII: a control character beyond it stands bare in other JSON.
            print(json.dumps(msgspec.to_builtins(told), separators=(",", ":")), flush=True)
        else:
            print("\n".join(telling.lines(finding, ours=ours)), flush=True)
    except BrokenPipeError:
        sys.exit(read_enough())


def _told(finding: evidence.Finding, ours: trust.Ours) -> dict[str, Any]:
    bundle = finding.bundle
    untrusted = tuple(trust.differences(bundle, ours))
    checkpoint = trust.checkpoint_of(bundle)
    return {
        "same": finding.same and not untrusted,
        "differences": (*finding.differences, *untrusted),
        "trusted": trust.is_trusted(bundle, ours),
        "checkpoint": checkpoint and trust.shown(checkpoint),
        "chain_id": bundle.context.chain_id,
        "made_at": bundle.made_at,
        "outcome": finding.outcome,
    }


def _shown(name: str) -> str:
    return "standard input" if name == "-" else printable(name)
