"""The list of validations: filtered, searched, sorted and paged by its address."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.views.decorators.http import require_safe

from console.exports import PAGE as EXPORT_PAGE
from console.exports import TABLE_FORMS, stream_table
from console.http import render_page
from console.pages import listing
from console.pages.listing import RunRow
from validation import words
from validation.models import VERDICTS, Run, RunState
from validation.run_search import searched

PAGE = 50
_SORTS = {"newest": "-id", "oldest": "id", "largest": "-total"}
COLUMNS = (
    *("id", "title", "state", "level", "agreement", "total", "done", *VERDICTS, "rate", "eta_s"),
    *("origin", "created_by", "created_at", "started_at", "finished_at"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the address asks for. Anything that it cannot mean is left out."""

    state: str
    text: str
    sort: str
    page: str

    @classmethod
    def of(cls, query: QueryDict) -> "Wish":
        state = query.get("state", "")
        sort = query.get("sort", "")
        return cls(
            state=state if state in RunState.values else "",
            text=query.get("q", "").replace("\x00", "").strip()[:200],
            sort=sort if sort in _SORTS else "newest",
            page=query.get("page", "1"),
        )

    def link(self, **changes: str) -> str:
        """The address with `changes`; a changed filter starts again at the first page."""
        query = QueryDict(mutable=True)
        wished = {"state": self.state, "q": self.text, "sort": self.sort} | changes
        for name, value in wished.items():
            if value and (name, value) not in {("sort", "newest"), ("page", "1")}:
                query[name] = value
        return f"?{query.urlencode()}"


@require_safe
def show(request: HttpRequest) -> HttpResponseBase:
    wish = Wish.of(request.GET)
    if (form := request.GET.get("format", "")) in TABLE_FORMS:
        return stream_table("validations", form, COLUMNS, _pages(wish))
    context = load(wish)
    return render_page(request, "console/runs.html", "list", context)


def load(wish: Wish) -> dict[str, Any]:
    by_state = dict(searched(wish.text).order_by().values_list("state").annotate(n=Count("id")))
    page = Paginator(_sorted(wish), PAGE).get_page(wish.page)
    return {
        "section": "runs",
        "topics": "runs",
        "wish": wish,
        "rows": listing.rows_of(page.object_list),
        "page": page,
        "none_yet": not by_state and not Run.objects.exists(),
        "states": [("", "All", sum(by_state.values()), wish.link(state=""))]
        + [
            (state.value, label, by_state.get(state.value, 0), wish.link(state=state.value))
            for state, label in _LABELS
        ],
        "downloads": [(form.upper(), wish.link(format=form)) for form in sorted(TABLE_FORMS)],
        "sorts": [(name, wish.link(sort=name)) for name in _SORTS],
        "previous": wish.link(page=str(page.number - 1)) if page.has_previous() else "",
        "next": wish.link(page=str(page.number + 1)) if page.has_next() else "",
    }


_LABELS = (
    (RunState.RUNNING, "Running"),
    (RunState.DRAFT, "Draft"),
    (RunState.DONE, "Done"),
    (RunState.CANCELLED, "Cancelled"),
)


def _found(wish: Wish) -> QuerySet[Run]:
    found = searched(wish.text)
    if wish.state:
        found = found.filter(state=wish.state)
    return found.select_related("created_by")


def _sorted(wish: Wish) -> QuerySet[Run]:
    # Runs of one size need an order too, or pages could show one twice.
    order = (_SORTS[wish.sort], "-id")
    if not wish.text:
        return _found(wish).order_by(*order)
    keys = [(words.apart(name.lstrip("-")), name.startswith("-")) for name in order]
    return _found(wish).order_by(*(key.desc() if down else key.asc() for key, down in keys))


def _pages(wish: Wish) -> Iterator[list[dict[str, object]]]:
    """Every run that was asked for, by key: the last page costs what the first does."""
    found = _found(wish).order_by(_SORTS[wish.sort], "-id")
    last: Run | None = None
    while True:
        page = list((found.filter(_after(last, wish.sort)) if last else found)[:EXPORT_PAGE])
        yield [_flat(row) for row in listing.rows_of(page)]
        if not page:
            return
        last = page[-1]


def _after(last: Run, sort: str) -> Q:
    if sort == "oldest":
        return Q(pk__gt=last.pk)
    if sort == "newest":
        return Q(pk__lt=last.pk)
    # The first alone is a range of the index.
    return Q(total__lte=last.total) & (Q(total__lt=last.total) | Q(pk__lt=last.pk))


def _flat(row: RunRow) -> dict[str, object]:
    run, progress = row.run, row.progress
    return {
        "id": run.pk,
        "title": run.title,
        "state": run.state,
        "level": run.level,
        "agreement": run.agreement,
        "total": progress.total,
        "done": progress.done,
        **dict(row.verdicts),
        "rate": progress.rate,
        "eta_s": progress.eta_s,
        "origin": run.origin,
        "created_by": run.created_by.get_username() if run.created_by else None,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
    }
