"""API tokens: made once, shown once, revoked after asking."""

import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from console.access import granting
from console.access.audit import Actor
from console.access.models import ApiToken, AuditEntry
from console.access.roles import Role
from console.access.tokens import authenticate, create_token
from console.controls import is_reversible
from tests.pages.conftest import Page

See = Callable[..., Page]
TOKENS = "/settings/tokens/"
FORM = {"name": "ci <job>", "role": "operator", "days": "30", "scopes": ["read", "runs"]}


def test_the_secret_is_shown_once(admin: Client, see: See) -> None:
    response = admin.post(TOKENS, FORM)
    assert response.status_code == 201
    page = Page(response.content.decode())
    found = re.search(r"swy_[\w-]{43}", page.text)
    assert found
    assert authenticate(found[0]) is not None
    again = see(admin, TOKENS)
    assert found[0] not in again.html
    assert "ci <job>" in again.text
    assert "read, runs" in again.text
    token = ApiToken.objects.get()
    assert (token.granted, token.expires_at is None) == (["read", "runs"], False)


def test_a_bad_name_keeps_the_rest(admin: Client) -> None:
    response = admin.post(TOKENS, {"name": " ", "role": "operator", "days": "365"})
    assert response.status_code == 422
    page = Page(response.content.decode())
    chosen = {attrs["value"] for attrs in page.all("option") if "selected" in attrs}
    assert chosen == {"operator", "365"}
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"scopes": []}, "Choose at least one"),
        ({"scopes": ["read", "everything"]}, "everything is not one of the available choices"),
        ({"scopes": ["read", "admin"]}, "The scope admin needs the role admin"),
        ({"role": "viewer"}, "The scope runs needs the role operator"),
    ],
)
def test_scopes_that_make_no_sense_are_refused(
    admin: Client, wrong: dict[str, object], says: str
) -> None:
    response = admin.post(TOKENS, FORM | wrong)
    assert (response.status_code, says in response.content.decode()) == (422, True)
    assert not ApiToken.objects.exists()


def test_a_new_token_only_reads_unless_it_is_told_to_do_more(admin: Client, see: See) -> None:
    boxes = [attrs for attrs in see(admin, TOKENS).all("input") if attrs.get("name") == "scopes"]
    assert [box["value"] for box in boxes] == ["read", "runs", "control", "flags", "ofrep", "admin"]
    assert [box["value"] for box in boxes if "checked" in box] == ["read"]


def test_revoking_asks_and_then_does(admin: Client, see: See, people: dict[str, User]) -> None:
    token, secret = create_token(people["admin"], "old one", "viewer")
    assert "Revoke 1 token" in see(admin, f"{TOKENS}{token.pk}/revoke/").text
    assert authenticate(secret) is not None
    response = admin.post(f"{TOKENS}{token.pk}/revoke/", follow=True)
    assert "old one is revoked" in Page(response.content.decode()).text
    assert authenticate(secret) is None


def test_both_stand_in_the_trail_without_the_secret(admin: Client, see: See) -> None:
    made = admin.post(TOKENS, FORM | {"reason": "for the nightly build"})
    secret = re.findall(r"swy_[\w-]{43}", made.content.decode())[0]
    token = ApiToken.objects.get()
    admin.post(f"{TOKENS}{token.pk}/revoke/", follow=True)
    admin.post(f"{TOKENS}{token.pk}/revoke/", follow=True)  # was not active any more: no entry
    revoked, created = AuditEntry.objects.all()
    for entry in (revoked, created):
        assert (entry.kind, entry.target, entry.actor) == ("token", "ci <job>", "the-admin")
        assert not is_reversible(entry)
    assert (created.action, created.before, created.reason) == (
        *("create", {}, "for the nightly build"),
    )
    assert created.after["scopes"] == ["read", "runs"]
    assert (revoked.action, revoked.before, revoked.reason) == (
        *("revoke", created.after, "Revoked on the page of API tokens"),
    )
    told = str(list(AuditEntry.objects.values()))
    assert not any(part in told for part in (secret, token.prefix, token.digest))
    page = see(admin, "/audit/?kind=token")
    until = created.after["expires_at"][:10]
    active = f"active, as operator of the-admin for read, runs, until {until}"
    assert f"not there → {active}" in page.text
    assert f"{active} → revoked, as operator of the-admin for read, runs" in page.text
    assert TOKENS in page.hrefs()
    assert not any("/revert/" in href for href in page.hrefs())
    sent = {"reason": "it was not meant so", "revision": "0"}
    assert admin.get(f"/audit/{revoked.pk}/revert/").status_code < 500
    assert admin.post(f"/audit/{revoked.pk}/revert/", sent).status_code in {409, 422}
    assert AuditEntry.objects.count() == 2


def test_a_reason_too_short_is_said_and_nothing_is_done(admin: Client) -> None:
    assert admin.post(TOKENS, FORM | {"reason": "why not"}).status_code == 422
    assert not ApiToken.objects.exists()
    admin.post(TOKENS, FORM)
    token = ApiToken.objects.get()
    refused = admin.post(f"{TOKENS}{token.pk}/revoke/", {"reason": "why not"})
    assert (refused.status_code, "10 to 500 printable" in refused.content.decode()) == (422, True)
    token.refresh_from_db()
    assert token.state == "active"
    assert AuditEntry.objects.get().reason == "Made on the page of API tokens"


def test_an_account_in_the_trail_is_told_in_words(admin: Client, see: See) -> None:
    actor = Actor.at_terminal("root@rack-1")
    granting.give_role(actor, "ada", Role.OPERATOR, "-", reason="she joins the shift")
    granting.give_role(actor, "ada", Role.ADMIN, "-", reason="she leads the shift")
    page = see(admin, "/audit/?kind=user")
    assert "not there → operator" in page.text
    assert "operator → admin" in page.text
    assert "/audit/?kind=user&target=ada" in page.hrefs()


def test_only_an_admin_sees_tokens(operator: Client, see: See) -> None:
    assert operator.get(TOKENS).status_code == 403
    assert TOKENS not in see(operator, "/").hrefs()
