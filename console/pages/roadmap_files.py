"""The roadmap as files: its optimisations as CSV, all of it as JSON; and as a page to print."""

from dataclasses import asdict
from typing import Any, Final

import msgspec
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe

from console.experiments import surroundings, telling
from console.exports import stream_table
from console.http import render_page
from console.pages import roadmap_money, roadmap_rows, roadmap_said, roadmap_targets
from console.pages.roadmap import Standing, figures
from console.pages.roadmap import show as page
from console.pages.roadmap_claims import ClaimRow
from console.pages.roadmap_rows import Row
from console.pages.roadmap_wish import Wish
from console.roadmap import seen
from console.roadmap.gates import standing
from console.roadmap.programmes import roadmap

COLUMNS: Final = (
    *("id", "title", "programme", "source", "lines", "phase", "priority", "effort_h", "decision"),
    *("flags", "claimed", "state", "status", "share", "evidence", "measured", "contradictions"),
    *("rollback", "reason", "owner", "due", "note"),
)


@require_safe
def show(request: HttpRequest) -> HttpResponseBase:
    """The page, or what it exports where the address asks for a format."""
    match request.GET.get("format"):
        case "csv":
            return as_csv(request)
        case "json":
            return as_json(request)
        case _:
            return page(request)


@require_safe
def as_csv(request: HttpRequest) -> HttpResponseBase:
    """A row an optimisation, those that the address asks for."""
    wish = Wish.of(request.GET)
    if wish.refused:
        return _refused(wish)
    rows = roadmap_rows.wanted(Standing.look().rows, wish)
    return stream_table("roadmap", "csv", COLUMNS, iter([[_flat(row) for row in rows]]))


@require_safe
def as_json(request: HttpRequest) -> HttpResponse:
    """Everything, as the API tells it, with gates, measurements and claims; of the optimisations
    those that the address asks for.
    """
    wish = Wish.of(request.GET)
    if wish.refused:
        return _refused(wish)
    response = HttpResponse(msgspec.json.encode(_told(wish)), content_type="application/json")
    response["Content-Disposition"] = 'attachment; filename="roadmap.json"'
    response["Cache-Control"] = "no-store"
    return response


@require_safe
def report(request: HttpRequest) -> HttpResponse:
    """All of it on paper."""
    found, everything = Standing.look(), Wish()
    context = {
        "section": "roadmap",
        "made_at": timezone.now(),
        "revision": surroundings.code_revision(),
        "documents": roadmap().programmes,
        **figures(found),
        "programmes": found.programmes,
        "claim_rows": found.claims.rows,
        "unmeasured": found.claims.open,
        "groups": roadmap_rows.groups(found.rows, everything),
        "targets": roadmap_targets.targets(found.measured, everything),
        "kpis": roadmap_targets.kpis(found.measured, everything),
        **roadmap_said.load(everything),
        **roadmap_money.load(standing.memory_mb()),
    }
    return render_page(request, "console/roadmap_report.html", "", context)


def _refused(wish: Wish) -> HttpResponse:
    text = "".join(f"{why_not}\n" for why_not in wish.refused)
    plain = "text/plain; charset=utf-8"
    return HttpResponse(text, status=422, content_type=plain, headers={"Cache-Control": "no-store"})


def _told(wish: Wish) -> dict[str, Any]:
    found = Standing.look()
    rows = roadmap_rows.wanted(found.rows, wish)
    return {
        "made_at": timezone.now().isoformat(),
        "revision": surroundings.code_revision(),
        **seen.everything_in_json(roadmap()),
        "optimisations": [seen.in_json(row.seen) | {"evidence": row.verdict} for row in rows],
        "gates": [asdict(each) for each in found.gates],
        "measured": {name: asdict(each) for name, each in found.measured.items()},
        "claims": [_claim(row) for row in found.claims.rows],
        "unmeasured": [
            {"key": each.key, "optimisations": each.optimisations, "why": each.why}
            for each in found.claims.open
        ],
    }


def _claim(row: ClaimRow) -> dict[str, Any]:
    experiment = telling.as_object(row.newest, blocks=False) if row.newest else None
    return {**msgspec.to_builtins(row.claim), "verdict": row.verdict, "experiment": experiment}


def _flat(row: Row) -> dict[str, object]:
    one, edit = row.seen, row.seen.edit
    return {
        "id": row.key,
        "title": one.row.title,
        "programme": one.row.programme,
        "source": row.programme.document,
        "lines": one.row.lines,
        "phase": one.planned.phase,
        "priority": one.priority,
        "effort_h": one.planned.effort_h,
        "decision": one.row.decision,
        "flags": " ".join(one.row.flags),
        "claimed": "; ".join(row.claimed),
        "state": str(one.state),
        "status": one.status.words,
        "share": one.status.share,
        "evidence": row.verdict,
        "measured": "; ".join(f"{each.claim.key}: {each.measured}" for each in row.claims),
        "contradictions": " ".join(each.id for each in one.contradictions),
        "rollback": one.row.rollback,
        "reason": one.row.reason,
        "owner": edit.owner if edit else "",
        "due": edit.due.isoformat() if edit and edit.due else "",
        "note": edit.note if edit else "",
    }
