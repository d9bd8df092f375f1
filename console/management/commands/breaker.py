"""`manage.py breaker`: shows breakers as every worker has them, or overrides one."""

import getpass
import socket
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from console import controls, fleetview
from console.access.audit import Actor
from console.controls import ControlError, Order, Refused
from console.fleetview import FleetBreaker, WorkerBreaker
from console.pages import figures
from console.spans import Unreadable, seconds_of

DONE, NOT_HEARD, REFUSED = 0, 1, 2
# Workers read what is wanted twice a second and tell of it once a second.
WAIT_S = 5.0
_POLL_S = 0.1
_MODES = {"open": "forced_open", "close": "forced_closed"}
_OPTIONS = {"for_s": "--for", "reason": "--reason"}
_REASON = "Overridden at a terminal"


class Command(BaseCommand):
    help = "Shows or overrides a breaker: breaker node:10.0.0.7:8545:lookup open --for 15m"
    requires_system_checks = ()
    # A test waits less.
    clock: Callable[[], float] = staticmethod(time.monotonic)
    wait: Callable[[float], None] = staticmethod(time.sleep)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", metavar="NAME", help="without one: lists them all")
        parser.add_argument("act", nargs="?", choices=(*_MODES, "auto"), metavar="open|close|auto")
        parser.add_argument("--for", dest="span", metavar="15m", help="5s to 24h; default 15m")
        parser.add_argument("--reason", help=f"10 to 500 characters; default: {_REASON!r}")

    def handle(self, *, name: str | None, act: str | None, **options: Any) -> None:
        try:
            if act is None:
                status = self._show(name)
            else:
                status = self._act(name or "", act, options["span"], options["reason"])
        except Refused as exc:
            text = f"{_OPTIONS.get(exc.field, exc.field)} {exc.value!r} is not {exc.expected}."
            raise CommandError(text, returncode=REFUSED) from exc
        except (ControlError, Unreadable) as exc:
            raise CommandError(str(exc), returncode=REFUSED) from exc
        except DatabaseError as exc:
            first = str(exc).partition("\n")[0]
            text = f"The database does not answer; nothing was changed: {first}"
            raise CommandError(text, returncode=REFUSED) from exc
        sys.exit(status)

    def _show(self, name: str | None) -> int:
        fleet = fleetview.look()
        found = fleetview.breakers(fleet)
        if name is not None:
            found = [breaker for breaker in found if breaker.name == name]
            if not found:
                raise CommandError(_unknown(name), returncode=REFUSED)
        for breaker in found:
            self._tell(breaker)
            for row in breaker.rows if name is not None else ():
                self.stdout.write(_on_worker(row))
        if not fleet.reachable:
            self.stderr.write("No worker reports: the cache server does not answer.")
            return NOT_HEARD
        return DONE

    def _tell(self, breaker: FleetBreaker) -> None:
        wanted = _wanted(breaker.desired)
        heard = f"acknowledged by {breaker.acknowledged} of {breaker.workers}"
        self.stdout.write(f"{breaker.name}: {breaker.spread or 'no data'}")
        if breaker.desired.revision:
            self.stdout.write(f"  desired: {wanted}; {heard}")
            self.stdout.write(f"  {breaker.desired.actor}: {breaker.desired.reason}")

    def _act(self, name: str, act: str, span: str | None, reason: str | None) -> int:
        actor = Actor.at_terminal(f"{getpass.getuser()}@{socket.gethostname()}")
        why = _REASON if reason is None else reason
        if act == "auto":
            if span is not None:
                raise ControlError("--for is for open and close: auto has no end.")
            order = controls.release_breaker(actor, name, reason=why)
        else:
            for_s = seconds_of(span or "15m")
            mode = _MODES[act]
            # The name is typed here as it is: that is what the dialog of the page asks for.
            order = controls.override_breaker(
                actor, name, mode, reason=why, for_s=for_s, confirm=name
            )
        self.stdout.write(f"{name}: {_wanted(order)} (revision {order.revision})")
        return self._heard(order)

    def _heard(self, order: Order) -> int:
        """Waits for the workers, for a few seconds at most."""
        deadline = self.clock() + WAIT_S
        while True:
            fleet = fleetview.look()
            heard, workers = fleet.acknowledged(order.revision), fleet.heard
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


def _unknown(name: str) -> str:
    return f"There is no breaker {name!r}: `breaker` without a name lists them."


def _wanted(order: Order) -> str:
    mode = order.mode.replace("_", " ") or "auto"
    if order.for_s is not None:
        mode += f" for {figures.duration(order.for_s)}"
    if order.settings:
        mode += ", " + ", ".join(f"{name} {value:g}" for name, value in order.settings.items())
    return mode


def _on_worker(row: WorkerBreaker) -> str:
    report = row.report
    rate = "no data" if report.failure_rate is None else f"{report.failure_rate:.0%}"
    state = report.state.replace("_", " ")
    if report.computed != report.state:
        state += f" (by itself {report.computed.replace('_', ' ')})"
    silent = "" if row.is_current else f", {row.worker.state}"
    obeys = "acknowledged" if row.acknowledged else "not acknowledged"
    return (
        f"  {row.worker.id}: {state}, failures {rate} of {report.calls} calls, {obeys}; "
        f"heard {figures.ago(row.age_s)}{silent}"
    )
