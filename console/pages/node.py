"""One node: what is wanted of it, how it answers, what it was caught at, and who changed what."""

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from console import fleetview
from console.controls import names
from console.fleetview import Fleet, FleetNode, FleetNodes
from console.http import render_page
from console.pages import history
from console.pages.nodes import Row, not_judged, row_of
from validation.models import Catch, ControlKind, Evidence, Item
from validation.nodecheck import NodeTest

TEMPLATE = "console/node.html"
REGIONS = ("actions", "standing", "figures", "caught", "workers", "history")
CATCHES_SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class CatchRow:
    """`has_item`: its run is still kept, so that the item has a page; `has_proof`: its bundle is
    kept too.
    """

    catch: Catch
    has_item: bool
    has_proof: bool


@require_safe
def show(request: HttpRequest, label: str) -> HttpResponseBase:
    """`label` as addresses hold it."""
    return page(request, label)


def page(
    request: HttpRequest,
    name: str,
    *,
    tested: NodeTest | None = None,
    refusal: str = "",
    status: int = 200,
) -> HttpResponseBase:
    """With what a test of just now found, or why there was none."""
    fleet = fleetview.look()
    found = fleetview.nodes(fleet)
    node = find(name, found)
    context = {
        **standing(node, found, fleet),
        "topics": f"node:{name}",
        "tested": tested,
        "refusal": refusal,
    }
    return render_page(request, TEMPLATE, "test", context, status=status)


def find(name: str, found: FleetNodes) -> FleetNode:
    label = names.from_address(name)
    for node in found.nodes:
        if node.label == label:
            return node
    raise Http404(f"There is no node {label}: NODE_URLS does not name it, and nobody added it.")


def standing(node: FleetNode, found: FleetNodes, fleet: Fleet) -> dict[str, Any]:
    """What the live regions show."""
    return {
        "section": "nodes",
        "fleet": fleet,
        "nodes": found,
        "row": _row(node, fleet),
        "node": node,
        "place": node.place,
        "others": found.in_service - node.place.in_service,
        "not_judged": not_judged(),
        "catches": catches_of(node.label),
        "failures": sorted(node.failures.items(), key=lambda pair: -pair[1])[:3],
        "history": history.of(ControlKind.NODES, node.label),
    }


def catches_of(label: str) -> list[CatchRow]:
    """The newest first, with what is still kept of each."""
    catches = list(Catch.objects.filter(label=label)[:CATCHES_SHOWN])
    keys = [
        (catch.run_id, catch.ordinal)
        for catch in catches
        if catch.run_id is not None and catch.ordinal is not None
    ]
    items = set(Item.objects.filter(pk__in=keys).values_list("run_id", "ordinal"))
    bundles = Evidence.objects.filter(pk__in=keys, bundle__isnull=False)
    proofs = set(bundles.values_list("run_id", "ordinal"))
    return [
        CatchRow(
            catch=catch,
            has_item=(catch.run_id, catch.ordinal) in items,
            has_proof=(catch.run_id, catch.ordinal) in proofs,
        )
        for catch in catches
    ]


def _row(node: FleetNode, fleet: Fleet) -> Row:
    guards = {breaker.name: breaker.state for breaker in fleetview.breakers(fleet)}
    return row_of(node, guards)
