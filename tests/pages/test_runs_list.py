"""The list of validations: its address is its state."""

from collections.abc import Callable
from urllib.parse import quote

import pytest
from django.test import Client

from tests.pages.conftest import Page
from validation.models import Run, RunState

See = Callable[..., Page]


def test_none_yet_offers_the_first(operator: Client, viewer: Client, see: See) -> None:
    assert "/validations/new/" in see(operator, "/validations/").hrefs()
    page = see(viewer, "/validations/")
    assert "No validation yet" in page.text
    assert "/validations/new/" not in page.hrefs()


def test_none_match_offers_all(operator: Client, see: See, made_run: Callable[..., Run]) -> None:
    made_run()
    page = see(operator, "/validations/?q=zebra")
    assert "None match" in page.text
    assert "Show all validations" in page.text


def test_states_filter_and_count(operator: Client, see: See, made_run: Callable[..., Run]) -> None:
    made_run(title="first done")
    made_run(title="second runs", state=RunState.RUNNING)
    page = see(operator, "/validations/?state=running")
    assert "second runs" in page.text
    assert "first done" not in page.text
    assert "All 2" in page.text
    assert "Running 1" in page.text
    assert "Showing 1–1 of 1" in page.text


@pytest.mark.parametrize(
    "asked", ["V-{}", "v{}", "{}", "needle", "NEEDLE", "nee", "here needle", "0xABC", "node:8545"]
)
def test_search_finds_titles_and_ids(
    operator: Client, see: See, made_run: Callable[..., Run], asked: str
) -> None:
    made_run(title="hay of node 8545")
    wanted = made_run(title="a needle here: 0xabcdef, node:8545")
    page = see(operator, f"/validations/?q={asked.format(wanted.pk)}")
    assert "a needle here" in page.text
    assert "hay" not in page.text


@pytest.mark.parametrize("asked", ["eedle", "needle hay", "needle%", "'", "needle | hay"])
def test_search_finds_nothing_by_less(
    operator: Client, see: See, made_run: Callable[..., Run], asked: str
) -> None:
    made_run(title="a needle here")
    page = see(operator, f"/validations/?q={quote(asked)}")
    assert "None match" in page.text


def test_numbers_are_found_as_they_are_shown(
    operator: Client, see: See, made_run: Callable[..., Run]
) -> None:
    made_run(title="10\u202f000 blocks")
    for asked in ("10 000", "10\u202f000", "000 blo"):
        assert "None match" not in see(operator, f"/validations/?q={quote(asked)}").text


@pytest.mark.parametrize(
    "query",
    [
        "state=nonsense",
        "sort=nonsense",
        "page=-1",
        "page=x",
        "page=9999999",
        "q=%00",
        f"q={'9' * 60}",
    ],
)
def test_an_odd_address_is_answered_all_the_same(
    operator: Client, see: See, made_run: Callable[..., Run], query: str
) -> None:
    made_run()
    see(operator, f"/validations/?{query}")


def test_a_percent_sign_is_no_wildcard(
    operator: Client, see: See, made_run: Callable[..., Run]
) -> None:
    made_run(title="all of it")
    assert "None match" in see(operator, "/validations/?q=%25").text


def test_sorting_by_size(operator: Client, see: See, made_run: Callable[..., Run]) -> None:
    made_run(3, title="small")
    made_run(9, title="large")
    made_run(1, title="tiny")
    text = see(operator, "/validations/?sort=largest").text
    assert text.index("large ") < text.index("small ") < text.index("tiny ")


def test_pages_keep_the_filter(operator: Client, see: See, made_run: Callable[..., Run]) -> None:
    for _ in range(51):
        made_run(1, title="many")
    page = see(operator, "/validations/?q=many")
    assert "Showing 1–50 of 51" in page.text
    assert "?q=many&page=2" in page.hrefs()
    assert "Showing 51–51 of 51" in see(operator, "/validations/?q=many&page=2").text


def test_htmx_gets_the_list_alone(operator: Client, see: See, made_run: Callable[..., Run]) -> None:
    made_run(title="the one")
    page = see(operator, "/validations/", **{"HX-Request": "true"})
    assert page.tags[0] == ("div", page.tags[0][1])
    assert page.tags[0][1]["id"] == "runs-list"
    assert "the one" in page.text
    assert not page.all("html")
