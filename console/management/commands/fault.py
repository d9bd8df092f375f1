"""`manage.py fault`: causes one of the faults that the sources fear most, for a while."""

import signal
import sys
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from console.faults import slow_variant
from console.faults.causing import cause
from console.faults.fault import CannotCause, Fault
from console.faults.table import FAULTS
from console.spans import Unreadable, seconds_of

DONE, REFUSED = 0, 2
_SHORTEST_S, _LONGEST_S = 1.0, 600.0


class Command(BaseCommand):
    help = (
        "Causes a fault on a development stack, says where it is seen, and ends it: after --for, "
        "with Ctrl-C, and also when this command is killed. Exit 0 caused and healed, 130 "
        "interrupted and healed, 2 refused or not healed."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        listed = "; ".join(f"{fault.name}: {fault.does}" for fault in FAULTS.values())
        listed += f"; {slow_variant.NAME}: items of one variant take longer in every worker."
        parser.add_argument("name", metavar="NAME", help=listed)
        what = f"of {slow_variant.NAME} alone: whose items take longer"
        parser.add_argument("what", metavar="FLAG=VARIANT", nargs="?", default="", help=what)
        more = f"of {slow_variant.NAME} alone: percent; default {slow_variant.USUAL:g}"
        parser.add_argument("--more", type=float, default=None, help=more)
        parser.add_argument("--for", dest="span", default="30s", help="1s to 10m; default 30s")
        parser.add_argument("--seconds", type=int, default=None, help="the same, as a number")

    def handle(
        self,
        *,
        name: str,
        what: str,
        more: float | None,
        span: str,
        seconds: int | None,
        **_: Any,
    ) -> None:
        if not (settings.DEBUG or settings.DEVELOPMENT):
            text = "Faults are for a development stack: neither DEBUG nor DEVELOPMENT is on."
            raise CommandError(text, returncode=REFUSED)
        fault = _known(name, what, more)
        for_s = _seconds(span if seconds is None else f"{seconds}s")
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            cause(fault, for_s, begun=lambda: self._tell(fault, for_s))
        except CannotCause as exc:
            raise CommandError(f"{name}: {exc}", returncode=REFUSED) from exc
        except KeyboardInterrupt:
            self.stdout.write("Interrupted; healed.")
            sys.exit(130)
        self.stdout.write("Healed.")

    def _tell(self, fault: Fault, for_s: float) -> None:
        alert = f"{fault.rule}; " if fault.rule else "none of its own; "
        for line in (
            fault.does,
            f"See it:  {fault.look}",
            f"Alert:   {alert}runbook docs/runbooks/{fault.runbook}.md",
            f"It ends in {for_s:g} s, or with Ctrl-C.",
        ):
            self.stdout.write(line)
        self.stdout.flush()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _known(name: str, what: str, more: float | None) -> Fault:
    if name == slow_variant.NAME:
        try:
            return slow_variant.of(what, slow_variant.USUAL if more is None else more)
        except CannotCause as exc:
            raise CommandError(f"{name}: {exc}", returncode=REFUSED) from exc
    fault = FAULTS.get(name)
    if fault is None:
        names = ", ".join((*FAULTS, slow_variant.NAME))
        raise CommandError(f"{name[:40]!r} is none of {names}.", returncode=REFUSED)
    if what or more is not None:
        text = f"{name} takes no variant and no --more: those are for {slow_variant.NAME}."
        raise CommandError(text, returncode=REFUSED)
    return fault


def _seconds(span: str) -> float:
    try:
        seconds = seconds_of(span)
    except Unreadable as exc:
        raise CommandError(f"--for {exc}", returncode=REFUSED) from exc
    if not _SHORTEST_S <= seconds <= _LONGEST_S:
        text = f"--for {span} is not from {_SHORTEST_S:g}s to {_LONGEST_S / 60:g}m."
        raise CommandError(text, returncode=REFUSED)
    return seconds
