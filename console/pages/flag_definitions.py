"""What a flag is: an admin adds, edits and deletes those that the release did not bring."""

import json
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from console import strict_json
from console.access.roles import requires
from console.controls import Refused
from console.flags import definition_acts, definition_fields
from console.flags.changing import order_of
from console.flags.models import Flag
from console.flags.standing import Standing
from console.pages import asking
from console.pages.flag_acts import TEMPLATE, row
from console.pages.flag_forms import DefinitionForm, DeleteForm

_HINT = (
    "JSON with title, description, variants (the baseline first), baseline, unit, units, slot_s, "
    "fleet, layer, requires, bake_s, targeting and metadata; variants, targeting and metadata are "
    "as in flagd."
)
_HINT_OF_RELEASE = "JSON with bake_s and slot_s: all else of it is this release's word."
_BLANK = {
    "title": "",
    "description": "",
    "variants": {"off": False, "on": True},
    "unit": "item",
    "fleet": "",
    "bake_s": {"5": 600, "25": 600, "50": 600},
}


@require_http_methods(["GET", "HEAD", "POST"])
@requires("admin")
def add(request: HttpRequest) -> HttpResponse:
    form = DefinitionForm(asking.sent(request), initial={"definition": _text(_BLANK)})
    context: dict[str, Any] = {
        "section": "flags",
        "title": "Add a flag?",
        "facts": [
            ("Now", "not there"),
            ("After", "its baseline on all, at stage 0"),
            ("Reaches", "who asks for it by OFREP, or by OpenFeature with this console's flags"),
        ],
        "button": "Add 1 flag",
        "definition_hint": _HINT,
        "back": reverse("flags"),
    }
    actor = asking.actor_of(request)

    def do() -> int:
        fields = _fields(form.cleaned_data["definition"])
        key = form.cleaned_data["key"]
        return definition_acts.create(actor, key, fields, reason=form.why).revision

    if request.method != "POST":
        return asking.show(request, form, context, template=TEMPLATE)
    status, revision = asking.attempt(form, do)
    if status == asking.DONE:
        key = form.cleaned_data["key"]
        url = reverse("flag", args=[key])
        return asking.done(request, f"{key} is added, at its baseline.", revision, url)
    return asking.show(request, form, context, status=status, template=TEMPLATE)


@require_http_methods(["GET", "HEAD", "POST"])
@requires("admin")
def edit(request: HttpRequest, key: str) -> HttpResponse:
    flag = row(key)
    initial = {"revision": flag.revision, "definition": _text(_own(flag))}
    form = DefinitionForm(asking.sent(request), initial=initial)
    del form.fields["key"]
    actor = asking.actor_of(request)

    def do() -> int:
        fields = _fields(form.cleaned_data["definition"])
        made = definition_acts.edit(actor, key, fields, reason=form.why, based_on=form.based_on)
        return made.revision

    def context() -> dict[str, Any]:
        return _of_one(row(key)) | {
            "title": f"Edit {key}?",
            "facts": [("Now", Standing.of(flag).words), ("After", "as written below")],
            "button": "Edit 1 flag",
            "definition_hint": _HINT_OF_RELEASE if flag.builtin else _HINT,
        }

    said = f"{key} is edited."
    return _change(request, form, do, context, key=key, said=said, url=reverse("flag", args=[key]))


@require_http_methods(["GET", "HEAD", "POST"])
@requires("admin")
def delete(request: HttpRequest, key: str) -> HttpResponse:
    flag = row(key)
    form = DeleteForm(asking.sent(request), initial={"revision": flag.revision})
    actor = asking.actor_of(request)

    def do() -> int:
        confirm = form.cleaned_data["confirm"]
        definition_acts.delete(actor, key, reason=form.why, confirm=confirm, based_on=form.based_on)
        return 0

    def context() -> dict[str, Any]:
        return _of_one(flag) | {
            "title": f"Delete {key}?",
            "facts": [
                ("Now", Standing.of(flag).words),
                ("After", "not there: whoever asks gets its own default"),
            ],
            "button": "Delete 1 flag",
            "confirm": key,
            "danger": True,
            "why_not": "It is of this release, which asks for it." if flag.builtin else "",
        }

    return _change(
        request, form, do, context, key=key, said=f"{key} is deleted.", url=reverse("flags")
    )


def _change(
    request: HttpRequest,
    form: Any,
    do: Callable[[], int],
    context: Callable[[], dict[str, Any]],
    *,
    key: str,
    said: str,
    url: str,
) -> HttpResponse:
    if request.method != "POST":
        return asking.show(request, form, context(), template=TEMPLATE)
    status, revision = asking.attempt(form, do, current=order_of(row(key)))
    if status == asking.DONE:
        return asking.done(request, said, revision, url)
    shown = context()
    shown["revision"] = asking.revision_shown(form, order_of(row(key)), status)
    return asking.show(request, form, shown, status=status, template=TEMPLATE)


def _of_one(flag: Flag) -> dict[str, Any]:
    return {
        "section": "flags",
        "flag": flag,
        "revision": flag.revision,
        "back": reverse("flag", args=[flag.key]),
    }


def _own(flag: Flag) -> dict[str, Any]:
    names = definition_fields.OF_RELEASE if flag.builtin else definition_fields.FIELDS
    return {name: getattr(flag, name) for name in names}


def _fields(text: str) -> dict[str, object]:
    """Raises Refused for what is no JSON object."""
    try:
        found = strict_json.decoded(text or "null")
    except ValueError as error:
        raise Refused("definition", text[:80], f"JSON ({error})") from error
    if not isinstance(found, dict):
        raise Refused("definition", text[:80], "a JSON object")
    return found


def _text(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
