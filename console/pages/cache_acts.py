"""What an operator does to the caches: drop what carries a tag, give L1 another size."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from console import controls, fleetview
from console.access.roles import Role, requires
from console.controls import bounds
from console.fleetview import FleetCache
from console.pages import asking, figures, history
from console.pages.act_forms import PurgeForm, ResizeForm
from console.pages.breaker_acts import ask_or_do


@ask_or_do
@requires("operator")
def purge(request: HttpRequest) -> HttpResponse:
    actor = asking.actor_of(request)
    form = PurgeForm(asking.sent(request), initial={"tag": request.GET.get("tag", "")[:160]})
    if request.method != "POST":
        return asking.show(request, form, _purge_context())

    def act() -> int:
        given = form.cleaned_data
        return controls.purge(actor, given["tag"], reason=form.why, confirm=given["confirm"])

    status, revision = asking.attempt(form, act)
    if status != asking.DONE:
        return asking.show(request, form, _purge_context(), status=status)
    said = f"What carries {form.cleaned_data['tag']} is dropped: by each process within a second."
    return asking.done(request, said, revision, reverse("caches"))


@ask_or_do
@requires("operator")
def resize(request: HttpRequest) -> HttpResponse:
    actor = asking.actor_of(request)
    found = fleetview.caches()
    form = _resize_form(request, found, actor.role)
    if request.method != "POST":
        return asking.show(request, form, _resize_context(found))

    def act() -> int:
        order = controls.resize_l1(
            actor,
            form.settings,
            reason=form.why,
            for_s=form.cleaned_data["for_s"],
            based_on=form.based_on,
        )
        return order.revision

    status, revision = asking.attempt(form, act, current=found.desired)
    if status != asking.DONE:
        found = fleetview.caches() if status == asking.CONFLICT else found
        context = _resize_context(found)
        context["revision"] = asking.revision_shown(form, found.desired, status)
        return asking.show(request, form, context, status=status)
    said = "L1 takes its new size in each process as it reads this."
    return asking.done(request, said, revision, reverse("caches"))


def _resize_form(request: HttpRequest, found: FleetCache, role: Role) -> ResizeForm:
    reports = [row.report for row in found.rows if row.is_current]
    in_force = {
        name: max(getattr(report, name) for report in reports) if reports else None
        for name in ResizeForm.names
    }
    known = {name: float(value) for name, value in in_force.items() if value is not None}
    return ResizeForm(
        asking.sent(request),
        role=role,
        lasts=asking.wants_lasting(request),
        wanted=found.desired,
        in_force=known,
    )


def _purge_context() -> dict[str, Any]:
    fleet = fleetview.look()
    found = fleetview.caches(fleet)
    return {
        "section": "caches",
        "what": "purge",
        "title": "Purge the caches by tag?",
        "button": f"Purge{_on(found)}",
        "found": found,
        "tags": [*bounds.TAGS, *(f"node:{pool.pool}" for pool in fleetview.pools(fleet))],
        "danger": True,
        "back": reverse("caches"),
    }


def _resize_context(found: FleetCache) -> dict[str, Any]:
    return {
        "section": "caches",
        "what": "resize",
        "title": "Resize L1?",
        "button": f"Resize{_on(found)}",
        "found": found,
        "wanted": found.desired,
        "wanted_words": history.wanted_words(found.desired),
        "revision": found.desired.revision,
        "back": reverse("caches"),
    }


def _on(found: FleetCache) -> str:
    number = found.heard
    return f" on {figures.count(number)} worker{'' if number == 1 else 's'}" if number else ""
