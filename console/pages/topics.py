"""The live regions: the same partials as first paint, rendered for the stream of each tab."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.http import Http404
from django.template.loader import render_to_string

from console import fleetview, sse
from console.access.roles import Role
from console.pages import (
    alert,
    alerts,
    audit,
    breaker,
    breakers,
    caches,
    capacity,
    database,
    flag,
    flags,
    node,
    nodes,
    optimisation,
    overview,
    pools,
    roadmap,
    run,
    workers,
)
from console.templatetags import alerting
from validation import services
from validation.models import Run, RunState


def _regions(
    template: str, page: str, names: Iterable[str], context: Mapping[str, Any]
) -> dict[str, str]:
    """Each partial `name` of a page is the element of id `page-name`."""
    return {f"{page}-{n}": render_to_string(f"{template}#{n}", dict(context)) for n in names}


def render_overview(_argument: str, role: Role) -> Mapping[str, str]:
    context = {**overview.load(), "role": role}
    return _regions(overview.TEMPLATE, "overview", overview.REGIONS, context)


def render_run(argument: str, role: Role) -> Mapping[str, str]:
    found = Run.objects.select_related("created_by", "retry_of").filter(pk=argument).first()
    if found is None or found.state == RunState.DRAFT:
        return {}
    return _regions(run.TEMPLATE, "run", run.REGIONS, {**run.standing(found), "role": role})


def render_workers(_argument: str, role: Role) -> Mapping[str, str]:
    context = {**workers.load(), "role": role}
    return _regions(workers.TEMPLATE, "workers", workers.REGIONS, context)


def render_breakers(_argument: str, role: Role) -> Mapping[str, str]:
    """Of every breaker: a page that filters has no element of that name, and asks for itself."""
    context = {**breakers.load(), "role": role}
    return _regions(breakers.TEMPLATE, "breakers", breakers.REGIONS, context)


def render_breaker(argument: str, role: Role) -> Mapping[str, str]:
    fleet = fleetview.look()
    try:
        found = breaker.find(argument, fleet)
    except Http404:
        return {}
    context = {**breaker.standing(found, fleet), "role": role}
    return _regions(breaker.TEMPLATE, "breaker", breaker.REGIONS, context)


def render_pools(_argument: str, role: Role) -> Mapping[str, str]:
    context = {**pools.load(), "role": role}
    return _regions(pools.TEMPLATE, "pools", pools.REGIONS, context)


def render_nodes(_argument: str, role: Role) -> Mapping[str, str]:
    context = {**nodes.load(), "role": role}
    return _regions(nodes.TEMPLATE, "nodes", nodes.REGIONS, context)


def render_node(argument: str, role: Role) -> Mapping[str, str]:
    fleet = fleetview.look()
    every = fleetview.nodes(fleet)
    try:
        found = node.find(argument, every)
    except Http404:
        return {}
    context = {**node.standing(found, every, fleet), "role": role}
    return _regions(node.TEMPLATE, "node", node.REGIONS, context)


def render_flags(_argument: str, role: Role) -> Mapping[str, str]:
    """Of every flag: a page that filters has no element of that name, and asks for itself."""
    context = {**flags.load(), "role": role}
    return _regions(flags.TEMPLATE, "flags", flags.REGIONS, context)


def render_flag(argument: str, role: Role) -> Mapping[str, str]:
    fleet = fleetview.look()
    try:
        found = flag.find(argument, fleet)
    except Http404:
        return {}
    context = {**flag.standing(found, fleet), "role": role}
    return _regions(flag.TEMPLATE, "flag", flag.REGIONS, context)


def render_optimisation(argument: str, role: Role) -> Mapping[str, str]:
    try:
        found = optimisation.find(argument)
    except Http404:
        return {}
    context = {**optimisation.standing(found), "role": role}
    return _regions(optimisation.TEMPLATE, "optimisation", optimisation.REGIONS, context)


def render_audit(_argument: str, role: Role) -> Mapping[str, str]:
    """Whether the chain is whole, and a sign of new rows: a tab that filters asks for itself."""
    context = {**audit.standing(), "role": role}
    return _regions(audit.TEMPLATE, "audit", audit.REGIONS, context)


def render_alerts(_argument: str, role: Role) -> Mapping[str, str]:
    context = {**alerts.load(), "role": role}
    return _regions(alerts.TEMPLATE, "alerts", alerts.REGIONS, context)


def render_alert(argument: str, role: Role) -> Mapping[str, str]:
    try:
        context = {**alert.load(alert.find(int(argument))), "role": role}
    except Http404:
        return {}
    return _regions(alert.TEMPLATE, "alert", alert.REGIONS, context)


def render_firing(_argument: str, _role: Role) -> Mapping[str, str]:
    """The count beside the word Alerts, on every page that is live."""
    return {"nav-firing": render_to_string("components/firing.html", alerting.firing())}


def render_caches(_argument: str, role: Role) -> Mapping[str, str]:
    context = {**caches.load(), "role": role}
    return _regions(caches.TEMPLATE, "caches", caches.REGIONS, context)


def render_capacity(_argument: str, role: Role) -> Mapping[str, str]:
    context = {**capacity.load_live(), "role": role}
    return _regions(capacity.TEMPLATE, "capacity", capacity.REGIONS, context)


def render_database(_argument: str, role: Role) -> Mapping[str, str]:
    context = {**database.load(), "role": role}
    return _regions(database.TEMPLATE, "database", database.REGIONS, context)


def render_roadmap(_argument: str, role: Role) -> Mapping[str, str]:
    """The figures: whatever a tab shows of it asks for itself once they have changed."""
    context = {**roadmap.load_live(), "role": role}
    return _regions(roadmap.TEMPLATE, "roadmap", roadmap.REGIONS, context)


def render_runs(_argument: str, role: Role) -> Mapping[str, str]:
    """Only a sign that something changed: what is shown depends on each tab's filter."""
    newest = Run.objects.order_by("-id").values_list("pk", flat=True).first()
    moving = list(Run.objects.filter(state=RunState.RUNNING).values_list("pk", flat=True)[:50])
    pulse = _pulse(moving)
    context = {"newest": newest or 0, "pulse": pulse, "role": role}
    return {"runs-pulse": render_to_string("console/runs.html#pulse", context)}


def _pulse(moving: list[int]) -> str:
    standing = services.progress(moving) if moving else {}
    return " ".join(f"{pk}:{progress.done}" for pk, progress in standing.items())


sse.topic("alert", render_alert, takes_argument=True)
sse.topic("alerts", render_alerts)
sse.topic("audit", render_audit)
sse.topic("breaker", render_breaker, takes_argument=True, argument=sse.NAME)
sse.topic("breakers", render_breakers)
sse.topic("caches", render_caches)
sse.topic("capacity", render_capacity)
sse.topic("database", render_database)
sse.topic("firing", render_firing)
sse.topic("flag", render_flag, takes_argument=True, argument=sse.NAME)
sse.topic("flags", render_flags)
sse.topic("node", render_node, takes_argument=True, argument=sse.NAME)
sse.topic("nodes", render_nodes)
sse.topic("optimisation", render_optimisation, takes_argument=True, argument=sse.NAME)
sse.topic("overview", render_overview)
sse.topic("pools", render_pools)
sse.topic("roadmap", render_roadmap)
sse.topic("run", render_run, takes_argument=True)
sse.topic("runs", render_runs)
sse.topic("workers", render_workers)
