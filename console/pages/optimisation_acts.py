"""What an operator does to one optimisation: measure a claim, cancel that, write of it."""

from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from console.access.roles import Role, requires
from console.experiments import acts, claims, powers
from console.experiments.models import Experiment, State
from console.pages import asking, figures
from console.pages.act_forms import ActForm
from console.pages.experiment import find as find_experiment
from console.pages.experiment import home_of
from console.pages.optimisation import find
from console.pages.optimisation_forms import EditForm, MeasureForm
from console.roadmap import edits
from console.roadmap.edits import order_of
from console.roadmap.models import Edit
from console.roadmap.seen import Seen

TEMPLATE: Final = "console/confirm_optimisation.html"
_BLOCKS_A_PAIR: Final = 4
# Acts of no revision: none is looked for.
_NO_REVISION = -1

_WHERE: Final = (
    "on engines, a node and a cache database of its own: the fleet's traffic is neither measured "
    "nor disturbed"
)

type Facts = list[tuple[str, str]]

ask_or_do = require_http_methods(["GET", "HEAD", "POST"])


@ask_or_do
@requires("operator")
def measure(request: HttpRequest, key: str) -> HttpResponse:
    found = find(key)
    offered = [each for each in claims.claims().values() if key in each.optimisations]
    if not offered:
        raise Http404(f"Nothing that is claimed of {key} can be measured here.")
    form = MeasureForm(asking.sent(request), offered=offered, asked=request.GET)
    actor, status = asking.actor_of(request), 200
    if request.method == "POST":
        made: list[Experiment] = []

        def do() -> int:
            pairs, why = form.number, form.why
            made.append(acts.measure(actor, form.key, pairs=pairs, reason=why, offered=offered))
            return _NO_REVISION

        status, _ = asking.attempt(form, do)
        if status == asking.DONE:
            said = f"{made[0]} measures {made[0].claim}: {made[0].blocks_wanted} blocks."
            return asking.done(request, said, _NO_REVISION, _page(key))
    context = _context(found, f"Measure what is claimed of {key}?", _what_it_takes(form))
    return asking.show(request, form, context, status=status, template=TEMPLATE)


@ask_or_do
@requires("operator")
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    row, actor = find_experiment(pk), asking.actor_of(request)
    form, status, home = ActForm(asking.sent(request)), 200, home_of(row)
    if request.method == "POST":

        def do() -> int:
            acts.cancel(actor, row, reason=form.why)
            return _NO_REVISION

        status, _ = asking.attempt(form, do)
        if status == asking.DONE:
            said = f"{row} is cancelled; what was measured of it is kept."
            return asking.done(request, said, _NO_REVISION, home)
        row.refresh_from_db()
    number = row.blocks.count()
    told = [
        ("Now", f"{row.get_state_display()}, {number} of {row.blocks_wanted} blocks done"),
        ("After", "ends after its block: no verdict; what was measured is kept"),
    ]
    why_not = "" if row.state in acts.OPEN else f"It is {row.get_state_display()}: nothing to end."
    context = {
        "section": "roadmap", "title": f"Cancel {row}?", "facts": told, "back": home,
        "button": f"Cancel {row}", "why_not": why_not, "crumb": row.claim, "danger": False,
    }  # fmt: skip
    return asking.show(request, form, context, status=status, template=TEMPLATE)


@ask_or_do
@requires("operator")
def edit(request: HttpRequest, key: str) -> HttpResponse:
    found, actor = find(key), asking.actor_of(request)
    is_admin = actor.role.covers(Role.ADMIN)
    form = EditForm(asking.sent(request), edit=found.edit, may_set_status=is_admin)
    status = 200
    current = order_of(found.edit or Edit(optimisation_id=key))
    if request.method == "POST":

        def do() -> int:
            row = edits.edit(actor, key, form.wanted(), reason=form.why, based_on=form.based_on)
            return int(row.revision)

        status, revision = asking.attempt(form, do, current=current)
        if status == asking.DONE:
            return asking.done(request, f"What you wrote of {key} is kept.", revision, _page(key))
    context = _context(found, f"What people wrote of {key}", {})
    shown = asking.revision_shown(form, current, status)
    context |= {"button": "Write it down", "why_not": "", "revision": shown}
    return asking.show(request, form, context, status=status, template=TEMPLATE)


def _what_it_takes(form: MeasureForm) -> dict[str, Any]:
    claim, pairs = form.chosen, form.number
    if claim is None or pairs is None:
        return {"facts": [], "button": "Measure", "why_not": ""}
    blocks = _BLOCKS_A_PAIR * pairs
    last = Experiment.objects.filter(claim=claim.key, state=State.DONE).order_by("shipped", "-pk")
    newest, busy = last.first(), Experiment.objects.filter(state=State.RUNNING).first()
    arms = f"{pairs} pairs of {claim.baseline} against {claim.treatment}"
    facts: Facts = [
        ("Claimed", f"{claim.says} ({claim.source})"),
        ("Now", _known(newest)),
        ("Runs", f"{blocks} blocks: {arms}, {pairs} of {claim.baseline} against itself"),
        ("Takes", _takes(newest, pairs)),
        ("Where", _WHERE),
    ]
    if newest is not None and (found := powers.finds(newest)):
        facts.append(("Power", "; ".join(each.words for each in found)))
    if busy is not None and busy.claim != claim.key:
        facts.append(("Waits for", f"{busy} of {busy.claim}: two at a time measure each other"))
    other = acts.open_of(claim)
    why_not = "" if other is None else f"{other} measures it already: it is {other.state}."
    return {"facts": facts, "button": f"Measure: {blocks} blocks", "why_not": why_not}


def _known(newest: Experiment | None) -> str:
    if newest is None:
        return "not measured yet"
    where = ", shipped" if newest.shipped else ""
    return f"{newest.verdict}, measured {newest.began_at:%Y-%m-%d %H:%M} UTC{where}"


def _takes(newest: Experiment | None, pairs: int) -> str:
    """As long as the last took, a pair."""
    if newest is None or newest.ended_at is None or newest.began_at is None:
        return "not known: it was never measured here"
    took_s = (newest.ended_at - newest.began_at).total_seconds() / newest.pairs * pairs
    return f"about {figures.duration(took_s)}, as {newest} did a pair"


def _page(key: str) -> str:
    return reverse("optimisation", args=[key])


def _context(found: Seen, title: str, more: Any) -> dict[str, Any]:
    return {
        "section": "roadmap",
        "title": title,
        "crumb": f"{found.row.id} {found.row.title}",
        "back": _page(found.row.id),
        "danger": False,
        **(more or {}),
    }
