"""What an operator does to nodes: cordon and uncordon, move, remove, add, test."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from console import controls, fleetview
from console.access.roles import requires
from console.controls import Actor, Busy, ControlError, Order, names, turns
from console.fleetview import FleetNode, FleetNodes
from console.http import render_page
from console.pages import asking, node, states
from console.pages.act_forms import ActForm, AddNodeForm, MoveForm, NodeForm
from validation.nodecheck import LONGEST_S

TEMPLATE = "console/confirm_node.html"
_TOO_MANY, _NOT_UNDERSTOOD = 429, 422
_WAIT = "No node is left in service then: runs wait, and those that start wait too."


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act on a node that is there: its words, and what does it."""

    title: str
    button: str
    effect: str
    said: str
    form: type[ActForm]
    do: Callable[[Actor, str, Any], Order]
    danger: bool = False
    # The node's state after it, of `states.NODES`; "" as it is.
    after: str = ""


def _cordon(actor: Actor, label: str, form: NodeForm) -> Order:
    confirm = form.cleaned_data["confirm"]
    return controls.cordon_node(
        actor, label, reason=form.why, based_on=form.based_on, confirm=confirm
    )


def _uncordon(actor: Actor, label: str, form: ActForm) -> Order:
    return controls.uncordon_node(actor, label, reason=form.why, based_on=form.based_on)


def _remove(actor: Actor, label: str, form: NodeForm) -> Order:
    confirm = form.cleaned_data["confirm"]
    return controls.remove_node(
        actor, label, reason=form.why, based_on=form.based_on, confirm=confirm
    )


def _move(actor: Actor, label: str, form: MoveForm) -> Order:
    place = form.cleaned_data["place"]
    return controls.move_node(actor, label, place, reason=form.why, based_on=form.based_on)


ACTS: dict[str, Act] = {
    "cordon": Act(
        title="Cordon {label}?",
        button="Cordon 1 node",
        effect="No call goes to it any more; what is with it ends by itself. Its head is still "
        "watched. What it answered before stays in the caches: purge node:{label} there.",
        said="{label} is cordoned: it is asked nothing by a worker that has acknowledged it.",
        form=NodeForm,
        do=_cordon,
        danger=True,
        after="cordoned",
    ),
    "uncordon": Act(
        title="Put {label} back into service?",
        button="Uncordon 1 node",
        effect="Runs ask it again. What it was caught at stays listed, and it is judged by what "
        "it does from now on.",
        said="{label} is in service again.",
        form=ActForm,
        do=_uncordon,
        after="in_service",
    ),
    "move": Act(
        title="Move {label}?",
        button="Move 1 node",
        effect="Between nodes that answer equally well, the earlier one is asked.",
        said="{label} has another place now.",
        form=MoveForm,
        do=_move,
    ),
    "remove": Act(
        title="Remove {label}?",
        button="Remove 1 node",
        effect="No worker knows it any more. Its URL is kept for a day, so that this can be taken "
        "back, and then forgotten. What it was caught at stays.",
        said="{label} is removed.",
        form=NodeForm,
        do=_remove,
        danger=True,
    ),
}
_ADMIN_ONLY = frozenset({"move", "remove"})


def act(request: HttpRequest, label: str, what: str) -> HttpResponseBase:
    """Its role depends on the act: the decorators say which."""
    return (_as_admin if what in _ADMIN_ONLY else _as_operator)(request, label, what)


@require_http_methods(["GET", "HEAD", "POST"])
@requires("operator")
def _as_operator(request: HttpRequest, name: str, what: str) -> HttpResponse:
    return _act(request, name, what)


@require_http_methods(["GET", "HEAD", "POST"])
@requires("admin")
def _as_admin(request: HttpRequest, name: str, what: str) -> HttpResponse:
    return _act(request, name, what)


def _act(request: HttpRequest, name: str, what: str) -> HttpResponse:
    nodes = fleetview.nodes()
    found = node.find(name, nodes)
    asked, actor = ACTS[what], asking.actor_of(request)
    initial = {"revision": nodes.desired.revision, "place": found.place.place}
    form = asked.form(asking.sent(request), initial=initial)
    if request.method != "POST":
        return asking.show(request, form, _context(what, found, nodes), template=TEMPLATE)
    status, revision = asking.attempt(
        form, lambda: asked.do(actor, found.label, form).revision, current=nodes.desired
    )
    if status == asking.DONE:
        gone = what == "remove"
        url = reverse("nodes") if gone else reverse("node", args=[name])
        return asking.done(request, asked.said.format(label=found.label), revision, url)
    if status == asking.CONFLICT:
        nodes = fleetview.nodes()
        found = node.find(name, nodes)
    context = _context(what, found, nodes)
    context["revision"] = asking.revision_shown(form, nodes.desired, status)
    return asking.show(request, form, context, status=status, template=TEMPLATE)


def _context(what: str, found: FleetNode, nodes: FleetNodes) -> dict[str, Any]:
    asked = ACTS[what]
    place = found.place
    is_last = asked.form is NodeForm and place.in_service and nodes.in_service == 1
    return {
        "section": "nodes",
        "act": asked,
        "what": what,
        "node": found,
        "nodes": nodes,
        "state": states.of_node(found),
        "after": states.NODES.get(asked.after),
        "effect": asked.effect.format(label=found.label),
        "warning": _WAIT if is_last else "",
        "title": asked.title.format(label=found.label),
        "button": asked.button,
        "danger": asked.danger,
        "confirm": found.label if is_last else "",
        "places": len(nodes.nodes) if what == "move" else None,
        "why_not": _why_not(what, found),
        "revision": nodes.desired.revision,
        "back": reverse("node", args=[found.name]),
    }


def _why_not(what: str, found: FleetNode) -> str:
    place = found.place
    if what == "cordon" and not place.in_service:
        return f"{place.cordoned_by or 'Somebody'} cordoned it already: {place.cordon_reason}"
    if what == "uncordon" and place.in_service:
        return "It is in service: there is nothing to undo."
    if what == "remove" and place.is_from_environment:
        return "NODE_URLS names it: cordon it here, or take it out there and restart."
    return ""


@require_http_methods(["GET", "HEAD", "POST"])
@requires("admin")
def add(request: HttpRequest) -> HttpResponse:
    nodes = fleetview.nodes()
    form = AddNodeForm(asking.sent(request), initial={"revision": nodes.desired.revision})
    if request.method != "POST":
        return asking.show(request, form, _adding(nodes), template=TEMPLATE)
    actor = asking.actor_of(request)

    def act() -> int:
        given = form.cleaned_data["url"]
        return controls.add_node(actor, given, reason=form.why, based_on=form.based_on).revision

    status, revision = asking.attempt(form, act, current=nodes.desired)
    if status == asking.DONE:
        label = controls.url_label(form.cleaned_data["url"])
        url = reverse("node", args=[names.in_address(label)])
        return asking.done(request, f"{label} is added, and in service.", revision, url)
    nodes = fleetview.nodes()
    context = _adding(nodes)
    context["revision"] = asking.revision_shown(form, nodes.desired, status)
    return asking.show(request, form, context, status=status, template=TEMPLATE)


def _adding(nodes: FleetNodes) -> dict[str, Any]:
    return {
        "section": "nodes",
        "what": "add",
        "nodes": nodes,
        "title": "Add a node?",
        "button": "Add 1 node",
        "effect": f"Last of {len(nodes.nodes) + 1}, and in service at once: runs ask it as soon "
        "as workers have read it.",
        "revision": nodes.desired.revision,
        "longest_s": LONGEST_S,
        "back": reverse("nodes"),
    }


@require_POST
@requires("admin")
def try_url(request: HttpRequest) -> HttpResponse:
    """What a node could do, before it is added. Nothing is kept."""
    actor = asking.actor_of(request)
    form = AddNodeForm(request.POST)
    tested, refusal, status = None, "", 200
    given = str(form["url"].value() or "").strip()
    try:
        tested = controls.test_url(actor, given)
    except ControlError as error:
        refusal, status = str(error), _status_of(error)
    context = {**_adding(fleetview.nodes()), "tested": tested, "refusal": refusal}
    if request.headers.get("HX-Request"):
        # htmx shows what came of it whatever came: 422 is no failure of the page.
        return render_page(request, TEMPLATE, "tested", context)
    context |= {"form": form, "action": reverse("node-add")}
    answer = render_page(request, TEMPLATE, "", context, status=status)
    return _later(answer) if status == _TOO_MANY else answer


@require_POST
@requires("operator")
def test(request: HttpRequest, label: str) -> HttpResponseBase:
    """Asks the node now, from this process, and shows what came of it on the node's page."""
    found = node.find(label, fleetview.nodes())
    try:
        tested = controls.test_node(asking.actor_of(request), found.label)
    except Busy as busy:
        return _later(node.page(request, label, refusal=str(busy), status=_TOO_MANY))
    return node.page(request, label, tested=tested)


def _later[R: HttpResponseBase](answer: R) -> R:
    answer["Retry-After"] = str(turns.RETRY_AFTER_S)
    return answer


def _status_of(error: ControlError) -> int:
    return _TOO_MANY if isinstance(error, Busy) else _NOT_UNDERSTOOD
