"""Who was signed in a moment ago is known without the database; nobody else is."""

import pytest
from django.conf import settings
from django.test import Client

from console.access.remembered import REMEMBERED, Remembered
from tests.pages.conftest import clients, people, static_root  # noqa: F401 - fixtures, by name


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_for_ten_minutes_and_on_while_it_is_asked() -> None:
    clock = Clock()
    known = Remembered(clock)
    known.note("a")
    clock.now = 599.0
    assert known.knows("a")
    clock.now = 1100.0
    assert known.knows("a")
    clock.now = 1701.0
    assert not known.knows("a")
    assert not known.knows("b")


def test_the_longest_unseen_of_ten_thousand_goes() -> None:
    known = Remembered(Clock())
    for number in range(10_001):
        known.note(str(number))
    assert (known.knows("0"), known.knows("1"), known.knows("10000")) == (False, True, True)


@pytest.mark.django_db
def test_a_page_is_what_is_remembered_and_a_sign_out_forgets(
    clients: dict[str, Client],  # noqa: F811 - the fixture
) -> None:
    browser = clients["viewer"]
    session = browser.cookies[settings.SESSION_COOKIE_NAME].value
    assert not REMEMBERED.knows(session)
    browser.get("/pools/")
    assert REMEMBERED.knows(session)
    browser.post("/sign-out/")
    assert not REMEMBERED.knows(session)


@pytest.mark.django_db
def test_a_cookie_that_is_nobodys_is_not_remembered() -> None:
    browser = Client()
    browser.cookies[settings.SESSION_COOKIE_NAME] = "made-up"
    assert browser.get("/pools/").status_code == 302
    assert not REMEMBERED.knows("made-up")
