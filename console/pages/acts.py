"""What an operator does to a validation; what is not undone easily asks on a page of its own."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods, require_POST

from console.access.roles import requires
from console.http import render_page
from console.pages import listing
from console.pages.figures import count
from console.pages.run import Wish
from validation import services
from validation.models import Run
from validation.services import RunRefused

ask_or_do = require_http_methods(["GET", "HEAD", "POST"])


@require_POST
@requires("operator")
def start(request: HttpRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(Run, pk=pk)

    def act() -> str:
        services.start_draft(run)
        return f"{run} started with {count(run.total)} items."

    return _done(request, act, run)


@ask_or_do
@requires("operator")
def discard(request: HttpRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(Run, pk=pk)
    if request.method != "POST":
        return _ask(request, "discard", {"run": run})

    def act() -> str:
        services.discard_draft(run)
        return f"{run} was discarded; nothing of it was validated."

    return _done(request, act, run, then="runs")


@ask_or_do
@requires("operator")
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(Run, pk=pk)
    if request.method != "POST":
        row = listing.row_of(run, services.progress([pk])[pk])
        waiting = row.progress.total - row.progress.done
        return _ask(request, "cancel", {"run": run, "row": row, "waiting": waiting})

    def act() -> str:
        services.cancel_run(run)
        return f"{run} is cancelled. What was validated stays."

    return _done(request, act, run)


@ask_or_do
@requires("operator")
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(Run, pk=pk)
    wish = Wish.of(request.GET)
    if request.method != "POST":
        reasons = [
            (verdict, reason, number)
            for verdict, reason, number in services.reasons(run)
            if wish.verdict in {"", "not_valid", verdict} and wish.reason in {"", reason}
        ]
        number = sum(number for _, _, number in reasons)
        return _ask(request, "retry", {"run": run, "number": number, "reasons": reasons})
    try:
        new = services.retry_run(
            run,
            origin="page",
            created_by=request.user if request.user.is_authenticated else None,
            verdict=wish.verdict,
            reason=wish.reason,
        )
    except RunRefused as refused:
        messages.error(request, str(refused))
        return redirect("run", pk=pk)
    messages.success(request, f"{new} validates {count(new.total)} items of {run} again.")
    return redirect("run", pk=new.pk)


def _ask(request: HttpRequest, act: str, context: dict[str, Any]) -> HttpResponse:
    context = {"section": "runs", "action": request.get_full_path(), **context}
    return render_page(request, f"console/confirm_{act}.html", "confirm", context)


def _done(
    request: HttpRequest, act: Callable[[], str], run: Run, *, then: str = "run"
) -> HttpResponse:
    """Does it, says what happened, and shows the page where that can be seen."""
    try:
        messages.success(request, act())
    except RunRefused as refused:
        messages.error(request, str(refused))
        return redirect("run", pk=run.pk)
    return redirect("runs") if then == "runs" else redirect("run", pk=run.pk)
