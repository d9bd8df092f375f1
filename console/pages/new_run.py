"""Starting a validation: pasted text, a file or a range of blocks."""

from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from console.access.roles import requires
from console.http import render_page
from console.pages.figures import count
from console.pages.forms import LEVELS, SOURCES, NewRunForm
from validation import quorum, services
from validation.models import RunState
from validation.services import AgreementRefused, MalformedItems, RunRefused
from validation.subjects import Malformed, Subject, read_lines

PREVIEW_CHARACTERS = 2_000_000
PREVIEW_ITEMS = 50_000
_SHOWN = 5
_KINDS = {
    "tx": ("transaction", "transactions"),
    "block": ("block", "blocks"),
    "address": ("address", "addresses"),
    "head": ("head", "heads"),
}


@require_http_methods(["GET", "HEAD", "POST"])
@requires("operator")
def show(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _page(request, NewRunForm(initial={"text": request.GET.get("items", "")[:2_000]}))
    form = NewRunForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, form, status=422)
    try:
        run = services.start_run(
            form.entries(),
            level=form.cleaned_data["level"],
            origin="page",
            created_by=request.user if request.user.is_authenticated else None,
            title=form.cleaned_data["title"].strip(),
            agreement=form.agreed_by,
            on_malformed="draft",
        )
    except MalformedItems as refused:
        said = f"None of the {count(refused.count)} lines is a subject."
        form.add_error(form.source_field, said if refused.count > 1 else "This is no subject.")
        return _page(request, form, status=422, malformed=refused.malformed[:_SHOWN])
    except AgreementRefused as refused:
        form.add_error("agreement", str(refused))
        return _page(request, form, status=422)
    except RunRefused as refused:
        form.add_error(form.source_field, str(refused))
        return _page(request, form, status=422)
    if run.state != RunState.DRAFT:
        messages.success(request, f"{run} started with {count(run.total)} items.")
    return redirect(run)


@require_POST
@requires("operator")
def preview(request: HttpRequest) -> HttpResponse:
    """Counts what is pasted, before anything is started."""
    text = request.POST.get("text", "")
    context = summary(read_lines(text[:PREVIEW_CHARACTERS].splitlines()))
    context["cut"] = context["more"] or len(text) > PREVIEW_CHARACTERS
    return render_page(request, "console/new_run.html", "preview", {**_choices(), **context})


def summary(entries: Iterable[Subject | Malformed]) -> dict[str, Any]:
    """How many of each kind, and the first lines that are none, among the first `PREVIEW_ITEMS`.

    It is asked for at each pause in typing, and one line may name five million blocks.
    """
    kinds: Counter[str] = Counter()
    malformed: list[Malformed] = []
    lines = 0
    rest = iter(entries)
    for entry in islice(rest, PREVIEW_ITEMS):
        if isinstance(entry, Malformed):
            lines += 1
            if len(malformed) < _SHOWN:
                malformed.append(entry)
        else:
            kinds[entry.kind] += 1
    named = [f"{count(n)} {_KINDS[kind][n != 1]}" for kind, n in kinds.most_common()]
    return {
        "good": kinds.total(),
        "kinds": ", ".join(named),
        "bad": lines,
        "malformed": malformed,
        "more": next(rest, None) is not None,
    }


def _page(
    request: HttpRequest,
    form: NewRunForm,
    *,
    status: int = 200,
    malformed: list[Malformed] | None = None,
) -> HttpResponse:
    context = {"form": form, "refused": malformed or [], **_choices()}
    return render_page(request, "console/new_run.html", "", context, status=status)


def _choices() -> dict[str, Any]:
    return {
        "section": "runs",
        "sources": SOURCES,
        "levels": LEVELS,
        "nodes_in_service": quorum.nodes_in_service(),
    }
