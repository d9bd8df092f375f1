"""One item of a validation: its verdict, how it was earned, and where the time went."""

from typing import Any

import msgspec
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe
from msgspec import UNSET

from console.access.roles import Role, role_of
from console.afresh import Afresh
from console.http import render_page
from console.pages import examined
from console.replicas import reading
from validation import anchors, kept, services
from validation.kept import Kept
from validation.models import Result, Run
from validation.services import ItemRow
from validation.validators import REASONS, Check


@require_safe
def show(request: HttpRequest, pk: int, ordinal: int) -> HttpResponse:
    run, item = found(pk, ordinal)
    return page(request, run, item)


def found(pk: int, ordinal: int) -> tuple[Run, ItemRow]:
    """The run and its item, or 404."""
    run = get_object_or_404(Run, pk=pk)
    reading.only_if(run.is_finished)
    items = services.items_page(run, after=ordinal - 1, limit=1) if ordinal < run.total else []
    if not items or items[0].ordinal != ordinal:
        raise Http404(f"{run} has no item {ordinal}.")
    return run, items[0]


def page(
    request: HttpRequest,
    run: Run,
    item: ItemRow,
    *,
    now: Afresh | None = None,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    """`now` is what validating it again came to; `problem` why there is no such thing."""
    held = kept.of_item(run, item.ordinal)
    if item.result:
        anchors.tie(run, [item.result])
    role = role_of(request.user)
    context = {
        "section": "runs",
        "run": run,
        "item": item,
        "kind": _kind(item),
        "retraction": anchors.retraction(run, item.ordinal),
        "kept": held,
        "problem": problem,
        "may_ask": role is not None and role.covers(Role.OPERATOR),
        "previous": item.ordinal - 1 if item.ordinal else None,
        "next": item.ordinal + 1 if item.ordinal + 1 < run.total else None,
        **_then(run, item, held),
        **_now(run, item, now),
    }
    return render_page(request, "console/item.html", "detail", context, status=status)


def _kind(item: ItemRow) -> str:
    return item.subject.partition(":")[0]


def _then(run: Run, item: ItemRow, held: Kept) -> dict[str, Any]:
    """What stands in the tables."""
    result = item.result
    if result is None:
        return {"said": "", "rungs": [], "unknown": [], "waterfall": None, "waited_ms": None}
    taken_back = result.reason == "reorganised"
    rungs, unknown = examined.ladder(
        _kind(item),
        verdict=result.verdict,
        reached=result.level,
        asked=run.level,
        reason=result.reason,
        checks=result.checks,
    )
    waited = None
    if held.closed_at is not None and run.started_at is not None:
        waited = max(1000 * (held.closed_at - run.started_at).total_seconds(), 0.0)
    return {
        "said": REASONS.get(result.reason, result.reason),
        "rungs": [] if taken_back else rungs,
        "flat": [row for rung in rungs for row in rung.checks] if taken_back else [],
        "unknown": unknown,
        "explains": any(check["computed"] for check in result.checks if check["status"] == "pass"),
        "waterfall": examined.waterfall(held.spans or (), result.ms),
        "waited_ms": waited,
    }


def _now(run: Run, item: ItemRow, now: Afresh | None) -> dict[str, Any]:
    """What it came to just now, beside what stands."""
    if now is None:
        return {"now": None}
    outcome, result = now.outcome, item.result
    rungs, _ = examined.ladder(
        _kind(item),
        verdict=outcome.verdict,
        reached=outcome.level,
        asked=run.level,
        reason=outcome.reason,
        checks=outcome.checks,
    )
    then = msgspec.convert(result.checks, list[Check]) if result else []
    return {
        "now": now,
        "now_said": REASONS.get(outcome.reason, outcome.reason),
        "now_caught": () if outcome.caught is UNSET else outcome.caught,
        "now_rungs": rungs,
        "now_waterfall": examined.waterfall(now.spans, outcome.ms),
        "is_same": result is not None and _verdict(result) == (outcome.verdict, outcome.level),
        "changes": examined.changes(then, outcome.checks) if result else [],
    }


def _verdict(result: Result) -> tuple[str, int]:
    return result.verdict, result.level
