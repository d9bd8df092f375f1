"""One item of a validation: its verdict, how it came about, and what was checked."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from console.http import render_page
from validation import anchors, services
from validation.models import Run
from validation.validators import CHECKS, REASONS


@require_safe
def show(request: HttpRequest, pk: int, ordinal: int) -> HttpResponse:
    run = get_object_or_404(Run, pk=pk)
    found = services.items_page(run, after=ordinal - 1, limit=1) if ordinal < run.total else []
    if not found or found[0].ordinal != ordinal:
        raise Http404(f"{run} has no item {ordinal}.")
    item = found[0]
    if item.result:
        anchors.tie(run, [item.result])
    context = {
        "section": "runs",
        "run": run,
        "item": item,
        "kind": item.subject.partition(":")[0],
        "retraction": anchors.retraction(run, ordinal),
        "checks": [
            {**check, "says": CHECKS[check["name"]].states if check["name"] in CHECKS else ""}
            for check in (item.result.checks if item.result else ())
        ],
        "said": REASONS.get(item.result.reason, item.result.reason) if item.result else "",
        "previous": ordinal - 1 if ordinal else None,
        "next": ordinal + 1 if ordinal + 1 < run.total else None,
    }
    return render_page(request, "console/item.html", "detail", context)
