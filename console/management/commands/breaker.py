"""`manage.py breaker`: shows breakers as every worker has them, or acts on one."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from console import controls, fleetview
from console.controls import ControlError, Order
from console.fleetview import FleetBreaker, WorkerBreaker
from console.management.acting import (
    DONE,
    NOT_HEARD,
    REFUSED,
    ActingCommand,
    actor,
    reason_of,
    refuse_span,
    settings_of,
    span_of,
)
from console.pages import figures

_MODES = {"open": "forced_open", "close": "forced_closed"}
_ACTS = (*_MODES, "auto", "reset", "tune")


class Command(ActingCommand):
    help = "Shows or overrides a breaker: breaker node:10.0.0.7:8545:lookup open --for 15m"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", metavar="NAME", help="without one: lists them all")
        parser.add_argument("act", nargs="?", choices=_ACTS, metavar="|".join(_ACTS))
        parser.add_argument(
            "settings",
            nargs="*",
            metavar="failure_rate=0.3",
            help="to tune, in place of what was tuned before; none: what was tuned ends",
        )
        super().add_arguments(parser)

    def run(self, **options: Any) -> int:
        if options["act"] is None:
            return self._show(options["name"])
        order = _acted(options)
        self.stdout.write(f"{order.name}: {_wanted(order)} (revision {order.revision})")
        return self.heard(order.revision)

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


def _acted(options: dict[str, Any]) -> Order:
    name, act, why = options["name"], options["act"], reason_of(options)
    given = settings_of(options["settings"])
    if given and act != "tune":
        raise ControlError(f"Only tune takes thresholds; {act} takes none.")
    if act == "tune":
        return controls.tune_breaker(actor(), name, given, reason=why, for_s=span_of(options))
    if act in {"auto", "reset"}:
        refuse_span(options, act)
        do = controls.release_breaker if act == "auto" else controls.reset_breaker
        return do(actor(), name, reason=why)
    if (for_s := span_of(options)) is None:
        raise ControlError("What is forced ends by itself: give --for, not --lasting.")
    # The name is typed here as it is: that is what the dialog of the page asks for.
    return controls.override_breaker(
        actor(), name, _MODES[act], reason=why, for_s=for_s, confirm=name
    )


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
