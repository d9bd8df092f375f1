"""`manage.py cache`: shows both tiers as every worker has them, purges by tag or resizes L1."""

from argparse import ArgumentParser
from typing import Any

from console import controls, fleetview
from console.controls import ControlError
from console.fleetview import Fleet
from console.management.acting import (
    DONE,
    NOT_HEARD,
    ActingCommand,
    actor,
    reason_of,
    refuse_span,
    settings_of,
    span_of,
)
from console.pages import figures, history
from monitoring.snapshots import CacheReport, WorkerSnapshot

_L2 = {True: "reachable", False: "unreachable", None: "not asked yet"}


class Command(ActingCommand):
    help = "Shows the caches, or: cache purge head; cache resize max_entries=50000 --for 1h"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("act", nargs="?", choices=("purge", "resize"), metavar="purge|resize")
        parser.add_argument(
            "what",
            nargs="*",
            metavar="TAG|max_entries=50000",
            help="a tag to purge, or sizes in place of those set before; none: they end",
        )
        super().add_arguments(parser)

    def run(self, **options: Any) -> int:
        if options["act"] is None:
            return self._show()
        return self._purge(options) if options["act"] == "purge" else self._resize(options)

    def _show(self) -> int:
        fleet = fleetview.look()
        wanted = controls.desired("l1", "")
        if wanted.revision:
            heard = f"acknowledged by {fleet.acknowledged(wanted.revision)} of {fleet.heard}"
            self.stdout.write(f"desired: {_words(wanted)}; {heard}")
            self.stdout.write(f"{wanted.actor}: {wanted.reason}")
        self._tell(fleet)
        if not fleet.reachable:
            self.stderr.write("No worker reports: the cache server does not answer.")
            return NOT_HEARD
        return DONE

    def _tell(self, fleet: Fleet) -> None:
        for worker in fleet.workers:
            self.stdout.write(_on_worker(worker))
        if fleet.reachable and not fleet.workers:
            self.stdout.write("no worker reports: no data")

    def _purge(self, options: dict[str, Any]) -> int:
        refuse_span(options, "purge")
        if len(options["what"]) != 1:
            raise ControlError(f"Give one tag to purge, not {len(options['what'])}.")
        (tag,) = options["what"]
        # The tag is typed here as it is: that is what the dialog of the page asks for.
        revision = controls.purge(actor(), tag, reason=reason_of(options), confirm=tag)
        self.stdout.write(f"{tag}: purged (revision {revision})")
        return self.heard(revision)

    def _resize(self, options: dict[str, Any]) -> int:
        order = controls.resize_l1(
            actor(),
            settings_of(options["what"]),
            reason=reason_of(options),
            for_s=span_of(options),
        )
        self.stdout.write(f"L1: {_words(order)} (revision {order.revision})")
        return self.heard(order.revision)


def _words(wanted: controls.Order) -> str:
    return history.wanted_words(wanted) if wanted.settings else "as configured"


def _on_worker(worker: WorkerSnapshot) -> str:
    silent = "" if worker.state == "up" else f" ({worker.state})"
    if (report := worker.cache) is None:
        return f"{worker.id}{silent}: no data of a cache"
    return (
        f"{worker.id}{silent}: L1 {report.policy}, {report.entries} of {report.max_entries} "
        f"entries, {figures.size(report.bytes)} of {figures.size(report.max_bytes)}; "
        f"L2 {_L2[report.l2_reachable]}; {_answered(report)}"
    )


def _answered(report: CacheReport) -> str:
    asked = sum(sum(counts.values()) for counts in report.kinds.values())
    if not asked:
        return "nothing was looked up"
    l1, l2 = (sum(counts.get(by, 0) for counts in report.kinds.values()) for by in ("l1", "l2"))
    return f"answered by L1 {l1 / asked:.0%}, by L2 {l2 / asked:.0%} of {asked} look-ups"
