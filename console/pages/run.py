"""One validation: how far it is, what came of it, and its items."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count
from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from console.controls import names, places
from console.exports import FORMATS, stream_results
from console.http import render_page
from console.pages import listing
from console.pages.figures import count
from console.pages.listing import RunRow
from console.replicas import reading
from validation import anchors, quorum, services
from validation.anchors import TakenBack
from validation.models import VERDICTS, Catch, Run, RunState
from validation.validators import REASONS

PAGE = 50
TEMPLATE = "console/run.html"
# One reading fills them all: no two places of the page count differently.
REGIONS = ("live", "actions", "tabs")
_FILTERS = ("not_valid", *VERDICTS, "waiting")
_MOST_DIGITS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which items the address asks for."""

    verdict: str
    reason: str
    after: int

    @classmethod
    def of(cls, query: QueryDict) -> "Wish":
        verdict = query.get("verdict", "")
        after = query.get("after", "")
        number = after.isascii() and after.isdigit() and len(after) <= _MOST_DIGITS
        return cls(
            verdict=verdict if verdict in _FILTERS else "",
            reason=query.get("reason", "").replace("\x00", "")[:40],
            after=int(after) if number else -1,
        )

    def link(self, *, after: int = -1) -> str:
        return link(self.verdict, self.reason, after)


def link(verdict: str = "", reason: str = "", after: int = -1) -> str:
    query = QueryDict(mutable=True)
    for name, value in (("verdict", verdict), ("reason", reason)):
        if value:
            query[name] = value
    if after >= 0:
        query["after"] = str(after)
    return f"?{query.urlencode()}"


@require_safe
def show(request: HttpRequest, pk: int) -> HttpResponseBase:
    run = get_object_or_404(Run.objects.select_related("created_by", "retry_of"), pk=pk)
    reading.only_if(run.is_finished)
    if (form := request.GET.get("format", "")) in FORMATS:
        return stream_results(run, form)
    context = {"section": "runs", **standing(run)}
    if run.state == RunState.DRAFT:
        return render_page(request, "console/draft.html", "", context)
    context |= items(run, context["row"], context["reasons"], Wish.of(request.GET))
    # One that has ended moves all the same while its blocks may be reorganised away.
    still = run.is_finished and not anchors.may_change(run)
    context["topics"] = "" if still else f"run:{run.pk}"
    return render_page(request, TEMPLATE, "items", context)


def standing(run: Run) -> dict[str, Any]:
    """What the live regions show: progress, verdicts and why, the tabs, what can be done."""
    row = listing.row_of(run, services.progress([run.pk])[run.pk])
    reasons = services.reasons(run) if row.not_valid else []
    return {
        "run": run,
        "row": row,
        "progress": row.progress,
        "nodes_in_service": quorum.nodes_in_service(run.node_urls) if run.agreement else None,
        "caught": caught_in(run),
        "taken_back": _told(anchors.taken_back(run)),
        "waiting": row.progress.total - row.progress.done,
        "filters": [
            {"code": code, "count": number, "href": link(code)} for code, number in _filters(row)
        ],
        "reasons": [
            {"verdict": v, "code": r, "said": REASONS.get(r, r), "count": n, "href": link(v, r)}
            for v, r, n in reasons
        ],
    }


def caught_in(run: Run) -> list[dict[str, Any]]:
    """Nodes that were caught at a lie in this run, each with how often, and its page if it has
    one still: a node of the run's own, or one that was removed, has none.
    """
    rows = Catch.objects.filter(run_id=run.pk).order_by().values_list("label")
    counted = list(rows.annotate(count=Count("id")).order_by("-count", "label"))
    paged = {place.label for place in places()} if counted else set()
    return [
        {"label": label, "count": number, "name": names.in_address(label) if label in paged else ""}
        for label, number in counted
    ]


def items(run: Run, row: RunRow, reasons: list[dict[str, Any]], wish: Wish) -> dict[str, Any]:
    """A page of items by keyset, and how many there are of what was asked."""
    found = services.items_page(
        run, after=wish.after, limit=PAGE + 1, verdict=wish.verdict, reason=wish.reason
    )
    shown, more = found[:PAGE], len(found) > PAGE
    matching = _matching(row, reasons, wish)
    return {
        "wish": wish,
        "items": shown,
        "matching": max(matching, len(shown)),
        "next": wish.link(after=shown[-1].ordinal) if more else "",
        "next_count": PAGE,
        "first": wish.link() if wish.after >= 0 else "",
        "here": wish.link(after=wish.after),
        "reason_said": REASONS.get(wish.reason, wish.reason),
        "without_reason": link(wish.verdict),
    }


def _told(taken: TakenBack | None) -> dict[str, Any] | None:
    if taken is None:
        return None
    return {
        "count": taken.count,
        "at": taken.at,
        "blocks": named(taken.blocks),
        "href": link("", "reorganised"),
    }


def named(blocks: tuple[int, ...]) -> str:
    """What was reorganised away, in words: `block 7 was`, `blocks 7 to 9 were`."""
    first, last, number = blocks[0], blocks[-1], len(set(blocks))
    if number == 1:
        return f"block {count(first)} was"
    if number == 2:  # noqa: PLR2004 - a pair has words of its own
        return f"blocks {count(first)} and {count(last)} were"
    if last - first + 1 == number:
        return f"blocks {count(first)} to {count(last)} were"
    return f"{count(number)} blocks between {count(first)} and {count(last)} were"


def _filters(row: RunRow) -> list[tuple[str, int]]:
    waiting = row.progress.total - row.progress.done
    counts = [("", row.progress.total), ("not_valid", row.not_valid), *row.verdicts]
    return [*counts, ("waiting", waiting)]


def _matching(row: RunRow, reasons: list[dict[str, Any]], wish: Wish) -> int:
    """From counts that the page has read anyhow: items of a reason, a verdict, or all."""
    if not wish.reason:
        return dict(_filters(row))[wish.verdict]
    return sum(
        reason["count"]
        for reason in reasons
        if reason["code"] == wish.reason and wish.verdict in {"", "not_valid", reason["verdict"]}
    )
