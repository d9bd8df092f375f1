from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.utils import timezone

from console.access.models import ApiToken
from console.access.roles import Role
from console.access.scopes import Scope
from console.access.tokens import (
    MAX_ACTIVE,
    TokenRefused,
    authenticate,
    create_token,
    revoke_token,
)


def test_the_secret_opens_and_is_not_kept(people: dict[str, User]) -> None:
    token, secret = create_token(people["operator"], " deploy ", "operator")
    caller = authenticate(secret)
    assert caller is not None
    assert (caller.user, caller.role, caller.token) == (people["operator"], Role.OPERATOR, token)
    row = ApiToken.objects.values().get()
    assert row["name"] == "deploy"
    assert secret.startswith(row["prefix"])
    assert secret not in map(str, row.values())
    assert len(secret) == len("swy_") + 43


def test_two_tokens_share_nothing(people: dict[str, User]) -> None:
    _, one = create_token(people["viewer"], "a", "viewer")
    _, other = create_token(people["viewer"], "b", "viewer")
    assert one != other


@pytest.mark.parametrize("wrong", ["", "swy_", "swy_" + "x" * 43, "Bearer x", "swy_\x00é"])
def test_a_wrong_secret_opens_nothing(people: dict[str, User], wrong: str) -> None:
    create_token(people["viewer"], "a", "viewer")
    assert authenticate(wrong) is None


def test_a_revoked_token_opens_nothing(people: dict[str, User]) -> None:
    token, secret = create_token(people["viewer"], "a", "viewer")
    assert revoke_token(token)
    assert not revoke_token(token)
    assert token.state == "revoked"
    assert authenticate(secret) is None


def test_an_expired_token_opens_nothing(people: dict[str, User]) -> None:
    soon = timezone.now() + timedelta(hours=1)
    token, secret = create_token(people["viewer"], "a", "viewer", soon)
    assert token.state == "active"
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    token.refresh_from_db()
    assert token.state == "expired"
    assert authenticate(secret) is None


def test_a_dismissed_owner_takes_the_tokens_along(people: dict[str, User]) -> None:
    _, secret = create_token(people["admin"], "a", "admin")
    User.objects.filter(username="admin").update(is_active=False)
    assert authenticate(secret) is None


def test_a_token_is_never_more_than_its_owner_is_now(people: dict[str, User]) -> None:
    _, secret = create_token(people["admin"], "a", "admin")
    people["admin"].groups.set([Group.objects.get(name="viewer")])
    caller = authenticate(secret)
    assert caller is not None
    assert caller.role is Role.VIEWER


@pytest.mark.parametrize(
    ("name", "role", "expires_in", "says"),
    [
        ("", "viewer", None, "1 to 80"),
        ("x" * 81, "viewer", None, "1 to 80"),
        ("a\nb", "viewer", None, "printable"),
        ("a", "admin", None, "more than operator has"),
        ("a", "viewer", timedelta(seconds=-1), "expired already"),
    ],
)
def test_what_makes_no_sense_is_refused(
    people: dict[str, User], name: str, role: str, expires_in: timedelta | None, says: str
) -> None:
    expires = None if expires_in is None else timezone.now() + expires_in
    with pytest.raises(TokenRefused, match=says):
        create_token(people["operator"], name, role, expires)
    assert not ApiToken.objects.exists()


def test_a_person_has_a_bounded_number_of_them(people: dict[str, User]) -> None:
    tokens = [create_token(people["viewer"], f"t{n}", "viewer")[0] for n in range(MAX_ACTIVE)]
    with pytest.raises(TokenRefused, match="revoke one"):
        create_token(people["viewer"], "one more", "viewer")
    revoke_token(tokens[0])
    create_token(people["viewer"], "one more", "viewer")


def test_use_is_noted_at_most_once_a_minute(people: dict[str, User]) -> None:
    token, secret = create_token(people["viewer"], "a", "viewer")
    authenticate(secret)
    token.refresh_from_db()
    first = token.last_used_at
    assert first is not None
    authenticate(secret)
    token.refresh_from_db()
    assert token.last_used_at == first
    ApiToken.objects.update(last_used_at=first - timedelta(minutes=2))
    authenticate(secret)
    token.refresh_from_db()
    assert token.last_used_at is not None
    assert token.last_used_at >= first


def test_a_token_has_the_scopes_it_was_made_with_and_else_all_of_its_role(
    people: dict[str, User],
) -> None:
    _, narrow = create_token(people["admin"], "a", "operator", scopes=["runs", Scope.READ])
    _, wide = create_token(people["admin"], "b", "operator")
    found, every = authenticate(narrow), authenticate(wide)
    assert found is not None
    assert found.scopes == {Scope.READ, Scope.RUNS}
    assert (found.may("runs"), found.may(Scope.CONTROL), found.may("nothing")) == (
        True,
        False,
        False,
    )
    assert every is not None
    assert every.scopes == set(Scope) - {Scope.ADMIN}


@pytest.mark.parametrize(
    ("role", "scopes", "says"),
    [
        ("viewer", [], "at least one"),
        ("viewer", ["no such"], "at least one"),
        ("viewer", ["read", "flags"], "flags needs the role operator"),
        ("operator", ["admin"], "admin needs the role admin"),
    ],
)
def test_scopes_beyond_the_role_are_refused(
    people: dict[str, User], role: str, scopes: list[str], says: str
) -> None:
    with pytest.raises(TokenRefused, match=says) as refused:
        create_token(people["admin"], "a", role, scopes=scopes)
    assert refused.value.field == "scopes"
    assert not ApiToken.objects.exists()


def test_an_owner_who_may_less_takes_scopes_away(people: dict[str, User]) -> None:
    _, secret = create_token(people["admin"], "a", "admin", scopes=["read", "admin", "flags"])
    people["admin"].groups.set([Group.objects.get(name="viewer")])
    caller = authenticate(secret)
    assert caller is not None
    assert caller.scopes == {Scope.READ}


def test_a_token_that_the_release_before_makes_has_all_scopes_of_its_role(
    people: dict[str, User],
) -> None:
    """It knows no such column: the database fills it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO access_apitoken (user_id, name, prefix, digest, role, created_at)"
            " VALUES (%s, 'old', 'swy_old', 'x', 'viewer', now())",
            [people["viewer"].pk],
        )
    assert ApiToken.objects.get().granted == [Scope.READ, Scope.OFREP]
