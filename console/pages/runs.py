"""The list of validations: filtered, searched, sorted and paged by its address."""

from dataclasses import dataclass
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.views.decorators.http import require_safe

from console.http import render_page
from console.pages import listing
from validation.models import Run, RunState

PAGE = 50
_SORTS = {"newest": "-id", "oldest": "id", "largest": "-total"}
_MOST_DIGITS = 18


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
def show(request: HttpRequest) -> HttpResponse:
    context = load(Wish.of(request.GET))
    return render_page(request, "console/runs.html", "list", context)


def load(wish: Wish) -> dict[str, Any]:
    searched = _searched(wish.text)
    by_state = dict(searched.order_by().values_list("state").annotate(n=Count("id")))
    found = searched.filter(state=wish.state) if wish.state else searched
    page = Paginator(found.select_related("created_by").order_by(_SORTS[wish.sort]), PAGE).get_page(
        wish.page
    )
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


def _searched(text: str) -> QuerySet[Run]:
    """By words of the title, or by id: `V-12`, `v12` and `12`."""
    if not text:
        return Run.objects.all()
    wanted = Q(title__icontains=text)
    digits = text.lower().removeprefix("v").removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS:
        wanted |= Q(pk=int(digits))
    return Run.objects.filter(wanted)
