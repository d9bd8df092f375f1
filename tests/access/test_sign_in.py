import json
import os
import subprocess
import sys

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from console.access.lockout import ACCOUNT
from tests.access.conftest import PASSWORD
from tests.services import ROOT


def sign_in(
    client: Client, name: str = "viewer", password: str = PASSWORD, **more: str
) -> HttpResponse:
    return client.post("/sign-in/", {"username": name, "password": password, **more})  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("wanted", "led_to"),
    [
        ("/workers/", "/workers/"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
        ("", "/"),
    ],
)
def test_the_right_password_leads_to_where_one_wanted_if_it_is_ours(
    people: dict[str, User], wanted: str, led_to: str
) -> None:
    response = sign_in(Client(), next=wanted)
    assert (response.status_code, response["Location"]) == (302, led_to)


def test_a_wrong_password_and_an_unknown_name_look_the_same(people: dict[str, User]) -> None:
    wrong = sign_in(Client(), password="wrong")
    unknown = sign_in(Client(), name="nobody", password="wrong")
    User.objects.filter(username="admin").update(is_active=False)
    dismissed = sign_in(Client(), name="admin")
    pages = [r.content.decode() for r in (wrong, unknown, dismissed)]
    messages = {page.split('role="alert">')[1].split("</div>")[0] for page in pages}
    assert len(messages) == 1
    assert {r.status_code for r in (wrong, unknown, dismissed)} == {200}


@pytest.mark.parametrize("name", ["viewer", "nobody"])
def test_after_too_many_even_the_right_password_waits(people: dict[str, User], name: str) -> None:
    for _ in range(ACCOUNT.failures):
        sign_in(Client(), name, "wrong")
    response = sign_in(Client(), name)
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= ACCOUNT.lock.total_seconds()
    assert "Sign-in opens again at" in response.content.decode()


def test_signing_in_needs_the_forms_token(people: dict[str, User]) -> None:
    assert sign_in(Client(enforce_csrf_checks=True)).status_code == 403


def test_a_session_gets_a_new_key_by_signing_in(people: dict[str, User]) -> None:
    client = Client()
    session = client.session
    session["before"] = True
    session.save()
    before = client.cookies["sessionid"].value
    sign_in(client)
    assert client.cookies["sessionid"].value != before


def test_a_part_asked_for_after_the_session_ended_takes_the_whole_page_to_sign_in() -> None:
    response = Client().get(
        "/sign-in/?next=/validations/",
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/workers/?sort=age"},
    )
    assert response["HX-Redirect"] == "/sign-in/?next=/workers/%3Fsort%3Dage"
    elsewhere = Client().get(
        "/sign-in/", headers={"HX-Request": "true", "HX-Current-URL": "https://evil.example/x"}
    )
    assert "next" not in elsewhere["HX-Redirect"]


def test_signing_out_ends_the_session(clients: dict[str, Client]) -> None:
    client = clients["viewer"]
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/").status_code == 302
    assert client.get("/workers/").status_code == 302


def test_a_new_password_ends_every_other_session(people: dict[str, User]) -> None:
    client, other = Client(), Client()
    for browser in (client, other):
        sign_in(browser)
        assert browser.get("/workers/").status_code == 200
    people["viewer"].set_password("another battery staple")
    people["viewer"].save()
    for browser in (client, other):
        assert browser.get("/workers/")["Location"].startswith("/sign-in/")
        assert browser.get("/api/v1/workers").status_code == 401


def test_the_key_of_before_signing_in_or_out_opens_nothing(people: dict[str, User]) -> None:
    """Whoever planted a key, or kept one, has none that is signed in."""
    client = Client()
    session = client.session
    session["planted"] = True
    session.save()
    planted = client.cookies["sessionid"].value
    sign_in(client)
    signed_in = client.cookies["sessionid"].value
    client.post("/sign-out/")
    for key in (planted, signed_in):
        thief = Client()
        thief.cookies["sessionid"] = key
        assert thief.get("/workers/").status_code == 302


def test_a_dismissed_account_has_no_session_any_more(clients: dict[str, Client]) -> None:
    User.objects.filter(username="viewer").update(is_active=False)
    assert clients["viewer"].get("/workers/").status_code == 302


def test_cookies_are_for_this_site_over_tls_and_no_script_reads_them() -> None:
    """As a deployment has them: what a development stack relaxes is not seen here otherwise."""
    names = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY",
             "CSRF_COOKIE_HTTPONLY", "SESSION_COOKIE_SAMESITE", "CSRF_COOKIE_SAMESITE",
             "SECURE_SSL_REDIRECT")  # fmt: skip
    asked = f"import json; from django.conf import settings as s; names = {names!r}; "
    asked += "print(json.dumps([getattr(s, n) for n in names]))"
    environment = {**os.environ, "DEVELOPMENT": "0", "SECURE_SSL_REDIRECT": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", asked], env=environment, cwd=ROOT, capture_output=True, check=True
    )
    assert json.loads(ended.stdout) == [True, True, True, True, "Lax", "Lax", True]


def test_the_cookies_say_so(people: dict[str, User]) -> None:
    client = Client()
    client.get("/sign-in/")
    sign_in(client)
    for name in ("sessionid", "csrftoken"):
        cookie = client.cookies[name]
        assert (bool(cookie["httponly"]), cookie["samesite"]) == (True, "Lax")
