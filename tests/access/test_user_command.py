"""`manage.py user`, as an operator types it."""

import subprocess
import sys
from io import StringIO

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import Client

from console.access import granting
from console.access.models import AuditEntry
from console.access.roles import Role, role_of


def run(*arguments: str) -> str:
    said = StringIO()
    call_command("user", *arguments, stdout=said)
    return said.getvalue()


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.django_db
def test_a_new_account_signs_in_with_what_was_printed(role: Role) -> None:
    said = run("ada", "--role", role)
    password = said.split()[-1]
    assert said.count("\n") == 1
    client = Client()
    client.post("/sign-in/", {"username": "ada", "password": password})
    assert client.get("/workers/").status_code == 200
    assert role_of(User.objects.get(username="ada")) is role


def test_a_known_account_changes_its_role_and_keeps_its_password(people: dict[str, User]) -> None:
    before = people["admin"].password
    assert "is viewer now and was admin" in run("admin", "--role", "viewer")
    changed = User.objects.get(username="admin")
    assert role_of(changed) is Role.VIEWER
    assert changed.password == before
    assert "already" in run("admin", "--role", "viewer")


def test_who_was_given_a_role_stands_in_the_trail(people: dict[str, User]) -> None:
    password = run("ada", "--role", "operator").split()[-1]
    run("ada", "--role", "admin", "--reason", "she is on call from today on")
    run("ada", "--role", "admin")  # changes nothing: no entry
    given, made = AuditEntry.objects.all()
    assert (made.action, made.kind, made.target, made.origin) == ("create", "user", "ada", "cli")
    assert (made.before, made.after) == ({}, {"roles": ["operator"], "active": True})
    assert (given.action, given.before["roles"], given.after["roles"]) == (
        *("role", ["operator"], ["admin"]),
    )
    assert (made.reason, given.reason) == ("Given at a terminal", "she is on call from today on")
    assert made.actor == made.source
    assert "@" in made.actor
    assert password not in str(list(AuditEntry.objects.values()))
    assert User.objects.get(username="ada").password not in str(list(AuditEntry.objects.values()))


def test_what_cannot_be_told_is_not_done(
    people: dict[str, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OperationalError("disk full")

    monkeypatch.setattr(granting, "record", full)
    with pytest.raises(CommandError, match="disk full"):
        run("ada", "--role", "admin")
    with pytest.raises(CommandError, match="disk full"):
        run("viewer", "--role", "admin")
    assert not User.objects.filter(username="ada").exists()
    assert role_of(User.objects.get(username="viewer")) is Role.VIEWER
    with pytest.raises(CommandError, match="--reason 'short' is not a reason of 10 to 500"):
        run("viewer", "--role", "admin", "--reason", "short")


def test_a_closed_account_stays_closed_and_that_is_said(people: dict[str, User]) -> None:
    User.objects.filter(username="viewer").update(is_active=False)
    assert "its account is closed" in run("viewer", "--role", "admin")
    assert role_of(User.objects.get(username="viewer")) is None


@pytest.mark.django_db
def test_a_superuser_is_not_said_to_have_less() -> None:
    User.objects.create_superuser("root")
    with pytest.raises(CommandError, match="superuser") as raised:
        run("root", "--role", "viewer")
    assert raised.value.returncode == 2


@pytest.mark.parametrize(
    ("name", "role", "says"),
    [
        ("ada", "owner", "'owner' is none of viewer, operator, admin"),
        ("", "viewer", "'' is no user name"),
        ("a b", "viewer", "'a b' is no user name"),
        ("a\nb", "viewer", "is no user name"),
        ("x" * 151, "viewer", "is no user name"),
    ],
)
@pytest.mark.django_db
def test_what_cannot_be_is_named_and_nothing_is_made(name: str, role: str, says: str) -> None:
    with pytest.raises(CommandError) as raised:
        run(name, "--role", role)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.returncode == 2
    assert not User.objects.exists()


def test_the_terminal_gets_one_line_and_exit_2() -> None:
    command = [sys.executable, "manage.py", "user", "ada", "--role", "owner"]
    done = subprocess.run(
        command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].endswith("is none of viewer, operator, admin.")
    assert "Traceback" not in done.stderr
