"""Anything is found by its name or number, on a page of its own and in the palette."""

from collections.abc import Callable

import pytest
from django.test import Client

from console.pages import find
from console.roadmap import decisions
from tests.pages.conftest import Page

type See = Callable[..., Page]


def first(asked: str) -> str:
    return find.find(asked)[0].href


@pytest.mark.django_db
def test_each_optimisation_is_first_by_its_id_and_found_by_its_title() -> None:
    for row in decisions.optimisations():
        assert first(row.id) == f"/roadmap/{row.id}/"
        assert f"/roadmap/{row.id}/" in [place.href for place in find.find(row.title)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("asked", "href"),
    [
        ("cache.codec", "/flags/cache.codec/"),
        ("validations", "/validations/"),
        ("roadmap report", "/roadmap/report/"),
        ("contradictions", "/roadmap/?view=contradictions"),
        ("pool-exhaustion", "/alerts/runbooks/pool-exhaustion/"),
        ("V-12", "/validations/12/"),
        ("v-12", "/validations/12/"),
    ],
)
def test_what_is_asked_for_by_its_name_comes_first(asked: str, href: str) -> None:
    assert first(asked) == href


def test_without_a_word_all_pages_are_named(viewer: Client, see: See) -> None:
    hrefs = see(viewer, "/find/").hrefs()
    assert {"/", "/breakers/", "/roadmap/", "/audit/"} <= hrefs


@pytest.mark.parametrize("asked", ["zzz", "\u0661\u0662", "9" * 40, "<b>", "v-0"])
def test_what_nothing_is_called_says_where_else_to_look(
    viewer: Client, see: See, asked: str
) -> None:
    page = see(viewer, f"/find/?q={asked}")
    assert "Nothing is called" in page.text
    assert "<b>" not in page.html.partition("Nothing is called")[2].partition("</p>")[0]


def test_the_palette_gets_the_results_alone(viewer: Client, see: See) -> None:
    page = see(viewer, "/find/?q=1.6", HX_Request="true")
    assert not page.all("html")
    assert "/roadmap/1.6/" in page.hrefs()


def test_more_than_fit_are_counted(viewer: Client, see: See) -> None:
    assert "Showing 20 of" in see(viewer, "/find/?q=optimisation").text


def test_every_page_offers_it_without_a_script(viewer: Client, see: See) -> None:
    page = see(viewer, "/audit/")
    assert "/find/" in page.hrefs()
    (dialog,) = (one for one in page.all("dialog") if one.get("id") == "palette")
    assert dialog["aria-label"]
