"""Sign-in, theme and the pages of errors."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.test import Client

from tests.pages.conftest import Page

See = Callable[..., Page]


def test_sign_in_says_what_failed_and_keeps_the_name(client: Client, db: None) -> None:
    response = client.post("/sign-in/", {"username": "nobody", "password": "guess-1"})
    page = Page(response.content.decode())
    assert "nobody" in page.html
    assert "guess-1" not in page.html
    assert page.all("p")


def test_sign_in_leads_back(client: Client, people: dict[str, User]) -> None:
    people["viewer"].set_password("correct horse battery")
    people["viewer"].save()
    given = {"username": "the-viewer", "password": "correct horse battery", "next": "/workers/"}
    response = client.post("/sign-in/", given)
    assert response["Location"] == "/workers/"


@pytest.mark.parametrize(
    ("cookie", "shown"), [("dark", "dark"), ("light", "light"), ("<b>", "auto")]
)
def test_the_theme_is_in_the_first_byte(client: Client, db: None, cookie: str, shown: str) -> None:
    client.cookies["theme"] = cookie
    page = Page(client.get("/sign-in/").content.decode())
    assert page.all("html")[0]["data-theme"] == shown


def test_the_theme_is_remembered(viewer: Client, see: See) -> None:
    response = viewer.post("/settings/theme/", {"theme": "dark", "next": "/workers/?x=1"})
    assert response["Location"] == "/workers/?x=1"
    assert response.cookies["theme"]["httponly"]
    assert see(viewer, "/").all("html")[0]["data-theme"] == "dark"


@pytest.mark.parametrize(
    "onwards", ["https://evil.example/", "//evil.example", "javascript:alert(1)"]
)
def test_the_theme_form_leads_nowhere_else(viewer: Client, onwards: str) -> None:
    response = viewer.post("/settings/theme/", {"theme": "light", "next": onwards})
    assert response["Location"] == "/"


def test_404_names_the_address(viewer: Client, see: See) -> None:
    page = see(viewer, "/no/such/page", status=404)
    assert "/no/such/page" in page.text
    assert "/" in page.hrefs()


@pytest.mark.parametrize("status", ["400", "403", "404", "500", "503"])
def test_error_pages_need_nothing(status: str) -> None:
    page = Page(render_to_string(f"{status}.html", {"reference": "ab12"}))
    assert len(page.all("h1")) == 1
    assert not page.all("script")
    assert not [attrs for _, attrs in page.tags if "style" in attrs]
    assert ("ab12" in page.text) == (status == "500")
