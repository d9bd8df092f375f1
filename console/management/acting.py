"""What commands that act on the fleet share: who acts, what is refused, and who has heard."""

import getpass
import socket
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import Error, InterfaceError
from psycopg_pool import PoolTimeout, TooManyRequests

from console import fleetview
from console.access.audit import Actor
from console.controls import ControlError, Refused
from console.spans import Unreadable, seconds_of
from validation.management.pipes import read_enough

DONE, NOT_HEARD, REFUSED = 0, 1, 2
# Workers read what is wanted twice a second and tell of it once a second.
WAIT_S = 5.0
_POLL_S = 0.1
_OPTIONS = {"for_s": "--for", "reason": "--reason"}
_REASON = "Overridden at a terminal"
_DATABASE = (Error, InterfaceError, psycopg.Error, PoolTimeout, TooManyRequests)


class ActingCommand(BaseCommand):
    """Shows or acts; ends with DONE, NOT_HEARD or REFUSED, and never with a traceback."""

    requires_system_checks = ()
    # A test waits less.
    clock: Callable[[], float] = staticmethod(time.monotonic)
    wait: Callable[[float], None] = staticmethod(time.sleep)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--for", dest="span", metavar="15m", help="5s to 24h; default 15m")
        parser.add_argument(
            "--lasting", action="store_true", help="until changed, in place of --for"
        )
        parser.add_argument("--reason", help=f"10 to 500 characters; default: {_REASON!r}")

    def handle(self, **options: Any) -> None:
        try:
            status = self.run(**options)
            self.stdout.flush()
        except Refused as exc:
            field = exc.field.removeprefix("settings.")
            text = f"{_OPTIONS.get(field, field)} {exc.value!r} is not {exc.expected}."
            raise CommandError(text, returncode=REFUSED) from exc
        except (ControlError, Unreadable) as exc:
            raise CommandError(str(exc), returncode=REFUSED) from exc
        except ImproperlyConfigured as exc:
            text = f"No database is configured: set DATABASE_URL. ({_first_line(exc)})"
            raise CommandError(text, returncode=REFUSED) from exc
        except _DATABASE as exc:
            text = f"The database does not answer; nothing was changed: {_first_line(exc)}"
            raise CommandError(text, returncode=REFUSED) from exc
        except BrokenPipeError:
            status = read_enough()
        sys.exit(status)

    def run(self, **options: Any) -> int:
        raise NotImplementedError

    def heard(self, revision: int) -> int:
        """Waits for the workers, for a few seconds at most."""
        deadline = self.clock() + WAIT_S
        while True:
            fleet = fleetview.look()
            heard, workers = fleet.acknowledged(revision), fleet.heard
            if (fleet.reachable and heard == workers) or self.clock() >= deadline:
                break
            self.wait(_POLL_S)
        if not fleet.reachable:
            self.stderr.write(
                "No worker reports: the cache server does not answer. It is written, and each "
                "worker obeys as soon as it reads it."
            )
            return NOT_HEARD
        if not workers:
            self.stdout.write("no worker is up: those that start obey")
            return DONE
        noun = "worker" if workers == 1 else "workers"
        self.stdout.write(f"acknowledged by {heard} of {workers} {noun}")
        return DONE if heard == workers else NOT_HEARD


def actor() -> Actor:
    return Actor.at_terminal(f"{getpass.getuser()}@{socket.gethostname()}")


def reason_of(options: dict[str, Any]) -> str:
    given: str | None = options["reason"]
    return _REASON if given is None else given


def span_of(options: dict[str, Any]) -> float | None:
    """Seconds; None: it lasts."""
    if not options["lasting"]:
        return seconds_of(options["span"] or "15m")
    if options["span"] is not None:
        raise ControlError("Give --for or --lasting, not both.")
    return None


def refuse_span(options: dict[str, Any], act: str) -> None:
    if options["span"] is not None or options["lasting"]:
        raise ControlError(f"{act} has no end: leave --for and --lasting away.")


def settings_of(words: Sequence[str]) -> dict[str, float]:
    """`failure_rate=0.3 min_calls=20`. What may be set to what is judged where it is wanted."""
    found: dict[str, float] = {}
    for word in words:
        name, sign, text = word.partition("=")
        if not sign or not name:
            raise ControlError(f"{word!r} sets nothing: write name=number, as failure_rate=0.3.")
        if name in found:
            raise ControlError(f"{name} is set twice: write it once.")
        try:
            found[name] = float(text.replace("_", "x"))
        except ValueError as exc:
            raise ControlError(f"{name}: {text!r} is no number.") from exc
    return found


def _first_line(exc: Exception) -> str:
    return (str(exc).strip() or type(exc).__name__).partition("\n")[0]
