"""`manage.py node`: shows the nodes that runs may ask, or acts on one."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from console import controls, fleetview
from console.controls import ControlError, Order
from console.fleetview import FleetNode, FleetNodes, WorkerNode
from console.management.acting import (
    DONE,
    NOT_HEARD,
    REFUSED,
    ActingCommand,
    actor,
    reason_of,
    refuse_span,
)
from console.pages import figures
from validation.nodecheck import NodeTest
from validation.printable import printable

_ACTS = ("list", "add", "cordon", "uncordon", "move", "remove", "test")
FAILED = 1


class Command(ActingCommand):
    help = "Shows nodes or acts on one: node cordon 10.0.0.7:8545 --reason 'It serves stale blocks'"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "act", nargs="?", default="list", choices=_ACTS, metavar="|".join(_ACTS)
        )
        parser.add_argument(
            "node",
            nargs="?",
            metavar="LABEL",
            help="as `node` lists it; to add: its URL, or - to read that from standard input, so "
            "that a key in it stands in no shell's history",
        )
        parser.add_argument("place", nargs="?", type=int, metavar="PLACE", help="to move to")
        super().add_arguments(parser)

    def run(self, **options: Any) -> int:
        act, node = options["act"], options["node"]
        refuse_span(options, f"node {act}")
        if act == "list":
            return self._show(node)
        if node is None:
            raise ControlError(f"node {act}: name a node; `node` lists them.")
        if (options["place"] is not None) != (act == "move"):
            raise ControlError("A place goes with `node move LABEL PLACE`, and with nothing else.")
        if act == "test":
            return self._test(controls.test_node(actor(), node))
        order, said = _acted(act, node, options)
        self.stdout.write(f"{said} (revision {order.revision})")
        return self.heard(order.revision)

    def _show(self, label: str | None) -> int:
        fleet = fleetview.look()
        found = fleetview.nodes(fleet)
        shown = [node for node in found.nodes if label in {None, node.label}]
        if label is not None and not shown:
            text = f"There is no node {label!r}: `node` without a label lists them."
            raise CommandError(text, returncode=REFUSED)
        for node in shown:
            self._tell(node)
            for row in node.rows if label is not None else ():
                self.stdout.write(_on_worker(row))
        self._say_who_heard(found)
        if not fleet.reachable:
            self.stderr.write("No worker reports: the cache server does not answer.")
            return NOT_HEARD
        return DONE

    def _tell(self, node: FleetNode) -> None:
        place = node.place
        state = node.state.replace("_", " ")
        self.stdout.write(f"{place.place}. {node.label}: {state}, {_figures(node)}")
        if not place.in_service:
            self.stdout.write(f"  cordoned by {place.cordoned_by}: {place.cordon_reason}")
        for one in node.caught:
            self.stdout.write(f"  caught at {one.check} ×{one.count}")

    def _say_who_heard(self, found: FleetNodes) -> None:
        wanted = found.desired
        if wanted.revision:
            heard = f"acknowledged by {found.acknowledged} of {found.heard}"
            self.stdout.write(f"revision {wanted.revision} of {wanted.actor}: {heard}")

    def _test(self, tested: NodeTest) -> int:
        for finding in tested.findings:
            said = printable(finding.said)
            self.stdout.write(f"{finding.status}  {finding.name}: {said}")
        return DONE if tested.passed else FAILED


def _acted(act: str, node: str, options: dict[str, Any]) -> tuple[Order, str]:
    why, who = reason_of(options), actor()
    match act:
        case "add":
            url = sys.stdin.readline().strip() if node == "-" else node
            order = controls.add_node(who, url, reason=why)
            return order, f"{controls.url_label(url)}: added, in service"
        case "cordon":
            # The label is typed here as it is: that is what the dialog of the page asks for.
            order = controls.cordon_node(who, node, reason=why, confirm=node)
            left = len(controls.in_service())
            rest = f"{left} in service" if left else "none is left in service, so runs wait"
            return order, f"{node}: cordoned; {rest}"
        case "uncordon":
            return controls.uncordon_node(who, node, reason=why), f"{node}: in service"
        case "move":
            place = options["place"]
            return controls.move_node(who, node, place, reason=why), f"{node}: number {place}"
        case _:
            return controls.remove_node(who, node, reason=why, confirm=node), f"{node}: removed"


def _figures(node: FleetNode) -> str:
    if not node.workers:
        return "no data"
    head = "no head" if node.head is None else f"head {figures.count(node.head)}"
    lag = "" if not node.lag else f" ({figures.count(node.lag)} behind)"
    p95 = "" if node.latency_p95_ms is None else f", p95 {figures.latency(node.latency_p95_ms)}"
    return f"{head}{lag}{p95}, asked by {node.asked_by} of {node.workers}"


def _on_worker(row: WorkerNode) -> str:
    report = row.report
    head = "no head" if report.head is None else f"head {figures.count(report.head)}"
    asks = "asks it" if report.in_service else "only watches it"
    silent = "" if row.is_current else f", {row.worker.state}"
    return f"  {row.worker.id}: {asks}, {head}; heard {figures.ago(row.age_s)}{silent}"
