"""Anything by its name or number: pages, optimisations, flags, runbooks, validations."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from console import runbooks
from console.flags.models import Flag
from console.http import render_page
from console.pages.roadmap_wish import VIEWS, Wish
from console.roadmap import decisions

TEMPLATE = "console/find.html"
SHOWN: Final = 20
_LONGEST: Final = 100
_MOST_DIGITS: Final = 18
_PAGES: Final = (
    *("overview", "breakers", "pools", "caches", "nodes", "runs", "roadmap", "flags", "workers"),
    *("database", "capacity", "alerts", "audit"),
)
_TITLES: Final = {"runs": "Validations"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Somewhere to go. `key`: what it is called where there is no room for its title."""

    kind: str
    title: str
    href: str
    key: str = ""


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """A page of its own; to htmx its results alone."""
    asked = " ".join(request.GET.get("q", "").replace("\x00", "").split())[:_LONGEST]
    found = find(asked)
    context = {"section": "find", "asked": asked, "places": found[:SHOWN], "number": len(found)}
    return render_page(request, TEMPLATE, "results", context)


def find(asked: str) -> list[Place]:
    """All that have each word, those that are called so first; without a word, the pages."""
    words = asked.lower().split()
    if not words:
        return list(_pages())
    found = [(_rank(place, asked.lower()), place) for place in _places(asked)]
    wanted = [(rank, place) for rank, place in found if _has(place, words)]
    return [place for _, place in sorted(wanted, key=lambda pair: pair[0])]


def _rank(place: Place, asked: str) -> int:
    """The closer, the less: its key, its title, how either begins, and whatever else has it."""
    key, title = place.key.lower(), place.title.lower()
    if asked in {key, title}:
        return 0
    if key.startswith(asked):
        return 1
    return 2 if title.startswith(asked) else 3


def _has(place: Place, words: list[str]) -> bool:
    text = f"{place.key} {place.title} {place.kind}".lower()
    return all(word in text for word in words)


def _places(asked: str) -> Iterator[Place]:
    yield from _pages()
    yield from _run(asked)
    for row in decisions.optimisations():
        href = reverse("optimisation", args=[row.id])
        yield Place(kind="optimisation", title=row.title, key=row.id, href=href)
    for key, title in Flag.objects.order_by("key").values_list("key", "title"):
        yield Place(kind="flag", title=title or key, key=key, href=reverse("flag", args=[key]))
    for name in runbooks.names():
        if book := runbooks.find(name):
            href = reverse("runbook", args=[name])
            yield Place(kind="runbook", title=book.title, key=name, href=href)


def _pages() -> Iterator[Place]:
    for name in _PAGES:
        yield Place(kind="page", title=_TITLES.get(name, name.capitalize()), href=reverse(name))
    for view, label in VIEWS.items():
        href = f"{reverse('roadmap')}{Wish(view=view).link()}"
        yield Place(kind="page", title=f"Roadmap: {label.lower()}", href=href)
    yield Place(kind="page", title="Roadmap: report to print", href=reverse("roadmap-report"))


def _run(asked: str) -> Iterator[Place]:
    """Of `V-12` or `12`: whether there is such a one, its page says."""
    number = asked.lower().removeprefix("v-")
    if number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS and int(number):
        href = reverse("run", args=[int(number)])
        yield Place(kind="validation", title=f"V-{int(number)}", key=number, href=href)
