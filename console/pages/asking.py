"""How an act asks and answers, in a dialog or on a page of its own: errors, conflicts, undo."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from console.access.models import AuditEntry
from console.controls import (
    Actor,
    Busy,
    Conflict,
    ControlError,
    Order,
    Refused,
    RoleTooLow,
    is_reversible,
    turns,
)
from console.flags.standing import Standing
from console.http import render_page
from validation.models import ControlKind

TEMPLATE = "console/confirm_control.html"
DONE, CONFLICT, BUSY = 200, 409, 429


def actor_of(request: HttpRequest) -> Actor:
    if not isinstance(request.user, User):  # the decorator has seen to it; types have not
        raise PermissionDenied
    return Actor.on_page(request.user)


def sent(request: HttpRequest) -> QueryDict | None:
    """What binds a form: also a POST of nothing, which is to be told what it lacks."""
    return request.POST if request.method == "POST" else None


def wants_lasting(request: HttpRequest) -> bool:
    """An end that is named and empty: until changed."""
    given = request.POST if request.method == "POST" else request.GET
    return given.get("for_s") == ""


def attempt(form: Form, act: Callable[[], int], *, current: Order | None = None) -> tuple[int, int]:
    """(status, revision): 200 once it is done; else the form says what stands in the way.

    `current` is compared with what the person saw before anything else of the form is judged.
    """
    is_valid = form.is_valid()
    if current and (conflict := Conflict.between(form.cleaned_data.get("revision"), current)):
        return _said(form, conflict), 0
    if not is_valid:
        return 422, 0
    try:
        return DONE, act()
    except ControlError as error:
        return _said(form, error), 0


def _said(form: Form, error: ControlError) -> int:
    """The status of what was not done."""
    match error:
        case Refused():
            name = error.field.removeprefix("settings.")
            if name in form.fields:
                form.add_error(name, _refusal(error))
            else:  # it names the field itself
                form.add_error(None, str(error))
        case _:
            form.add_error(None, str(error))
    match error:
        case Conflict():
            return CONFLICT
        case RoleTooLow():
            return 403
        case Busy():
            return BUSY
        case _:
            return 422


def revision_shown(form: Form, current: Order, status: int) -> int:
    """The one a person saw goes on standing in the form, until a conflict has told of another."""
    seen: int | None = form.cleaned_data.get("revision") if form.is_bound else None
    return current.revision if seen is None or status == CONFLICT else seen


def show(
    request: HttpRequest,
    form: Form,
    context: Mapping[str, Any],
    *,
    status: int = 200,
    template: str = TEMPLATE,
) -> HttpResponse:
    known = {"form": form, "action": request.path, "conflict": status == CONFLICT}
    answer = render_page(request, template, "confirm", {**known, **context}, status=status)
    if status == BUSY:
        answer["Retry-After"] = str(turns.RETRY_AFTER_S)
    return answer


def done(request: HttpRequest, said: str, revision: int, url: str) -> HttpResponse:
    """Says what was done, with a way back; a dialog's page is left as a whole one is."""
    entry = AuditEntry.objects.filter(revision=revision).first()
    if entry is not None and is_undone_at_once(entry):
        # The template makes of it a button that stands for ten seconds.
        messages.success(request, said, extra_tags=str(entry.pk))
    else:
        messages.success(request, _with_undo(said, entry))
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url, "Cache-Control": "no-store"})
    return redirect(url)


def is_undone_at_once(entry: AuditEntry) -> bool:
    """Whether taking it back is always free, so that nobody need be asked twice: a stage of a flag
    that gives nobody what they had not, once it is back.
    """
    if entry.kind != ControlKind.FLAGS or entry.action != "stage":
        return False
    before, after = Standing.from_json(entry.before), Standing.from_json(entry.after)
    return is_reversible(entry) and not before.raises(after, before.rest)


def _with_undo(said: str, entry: AuditEntry | None) -> str | SafeString:
    if entry is None or not is_reversible(entry):
        return said
    return format_html(
        '{} <a class="button" href="{url}" hx-get="{url}" hx-target="#dialog-body">Undo…</a>',
        said,
        url=reverse("audit-revert", args=[entry.pk]),
    )


def _refusal(refused: Refused) -> str:
    """Beside its field, whose name it need not repeat."""
    if refused.value is None or refused.value == "":
        return f"Give {refused.expected}."
    is_number = isinstance(refused.value, int | float)
    shown = f"{refused.value:.12g}" if is_number else repr(str(refused.value)[:200])
    return f"{shown} is not {refused.expected}."
