"""The nodes that runs may ask, in their order: who is asked, how each answers, who was caught."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from console import fleetview
from console.exports import TABLE_FORMS, stream_table
from console.fleetview import Fleet, FleetNode, FleetNodes
from console.http import render_page
from console.pages import history, states
from console.pages.fleet import cells
from console.pages.states import State
from validation.models import ControlKind
from validation.validators import block_rules

TEMPLATE = "console/nodes.html"
REGIONS = ("figures", "list", "history")
COLUMNS = (
    *("place", "node", "state", "cordoned_at", "cordoned_by", "cordon_reason", "source", "head"),
    *("head_age_s", "lag", "latency_p50_ms", "latency_p95_ms", "score", "calls", "failed"),
    *("caught", "workers", "asked_by", "age_s"),
)
_CHECKS_SHOWN = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A breaker that stands before a node; `state` None: no worker up has it."""

    name: str
    kind: str
    state: State | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    found: FleetNode
    state: State
    guards: tuple[Guard, ...]

    @property
    def first_caught(self) -> tuple[fleetview.CaughtAt, ...]:
        return self.found.caught[:_CHECKS_SHOWN]

    @property
    def more_caught(self) -> int:
        return len(self.found.caught[_CHECKS_SHOWN:])

    @property
    def agrees(self) -> bool:
        """Whether every worker that is up does what is wanted."""
        wanted = self.found.workers if self.found.place.in_service else 0
        return self.found.asked_by == wanted


@require_safe
def show(request: HttpRequest) -> HttpResponseBase:
    if (form := request.GET.get("format", "")) in TABLE_FORMS:
        rows = [_flat(node) for node in fleetview.nodes().nodes]
        return stream_table("nodes", form, COLUMNS, iter([rows]))
    return render_page(request, TEMPLATE, "", {**load(), "topics": "nodes"})


def load() -> dict[str, Any]:
    fleet = fleetview.look()
    found = fleetview.nodes(fleet)
    rows = rows_of(found, fleet)
    p95 = [n.latency_p95_ms for n in found.nodes if n.latency_p95_ms is not None]
    return {
        "section": "nodes",
        "fleet": fleet,
        "found": found,
        "rows": rows,
        "caught": sum(row.found.state == "caught" for row in rows),
        "times_caught": sum(row.found.times_caught for row in rows),
        "reported": any(row.found.workers for row in rows),
        "not_judged": not_judged(),
        "slowest_ms": max(p95, default=None),
        "said": _said(rows),
        "history": history.of_kinds([ControlKind.NODES]),
    }


def rows_of(found: FleetNodes, fleet: Fleet) -> list[Row]:
    """The breakers of all nodes are read at once."""
    guards = {breaker.name: breaker.state for breaker in fleetview.breakers(fleet)}
    return [row_of(node, guards) for node in found.nodes]


def not_judged() -> str:
    """Why nobody is ever caught here; "" where who lies is."""
    if settings.NODE_CHAIN_ID is None:
        return "NODE_CHAIN_ID is not set"
    if block_rules.are_known(settings.NODE_CHAIN_ID):
        return ""
    return f"the rules of chain {settings.NODE_CHAIN_ID} are not known here"


def row_of(node: FleetNode, guards: dict[str, str | None]) -> Row:
    return Row(
        found=node,
        state=states.of_node(node),
        guards=tuple(
            Guard(
                name=name,
                kind=name.rpartition(":")[2],
                state=states.of_breaker(state) if (state := guards.get(name)) else None,
            )
            for name in node.breakers
        ),
    )


def _said(rows: list[Row]) -> str:
    """What a screen reader hears when it changes, and nothing else."""
    bad = [
        f"{row.found.label}: {row.state.word}" for row in rows if row.found.state != "in_service"
    ]
    return "; ".join(bad) if bad else "Every node is in service"


def _flat(node: FleetNode) -> dict[str, object]:
    place = node.place
    return cells(
        node,
        COLUMNS,
        place=place.place,
        node=place.label,
        cordoned_at=place.cordoned_at,
        cordoned_by=place.cordoned_by,
        cordon_reason=place.cordon_reason,
        source="NODE_URLS" if place.is_from_environment else "added",
        caught=" ".join(f"{one.check}={one.count}" for one in node.caught),
    )
