"""`manage.py user`: makes an account with a role, or gives one that exists another role."""

import secrets
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import Group, User
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, transaction

from console.access.roles import Role, role_of

_LONGEST = 150  # the column's length


class Command(BaseCommand):
    help = "Makes an account, or changes the role of one. A new one's password is shown once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="what the person signs in with")
        parser.add_argument("--role", required=True, help=", ".join(Role))

    def handle(self, *, name: str, role: str, **_: Any) -> None:
        wanted = _role(role)
        _check_name(name)
        try:
            with transaction.atomic():
                said = _give(name, wanted)
        except DatabaseError as exc:
            reason = str(exc).partition("\n")[0]
            raise CommandError(f"The database refused: {reason}", returncode=2) from exc
        self.stdout.write(said)


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        known = ", ".join(Role)
        raise CommandError(f"--role {text!r} is none of {known}.", returncode=2) from None


def _check_name(name: str) -> None:
    try:
        UnicodeUsernameValidator()(name)
    except ValidationError:
        fits = False
    else:
        fits = len(name) <= _LONGEST
    if not fits:
        raise CommandError(
            f"{name[:_LONGEST]!r} is no user name: 1 to {_LONGEST} letters, digits and @ . + - _",
            returncode=2,
        )


def _give(name: str, role: Role) -> str:
    """What was done, for the terminal."""
    # As `create_user` would write it: or one name could look like two accounts.
    name = User.normalize_username(name)
    user = User.objects.select_for_update().filter(username=name).first()
    if user is None:
        password = secrets.token_urlsafe(15)
        _join(User.objects.create_user(name, password=password), role)
        return f"{name} may sign in as {role}. The password, shown this once: {password}"
    if user.is_superuser:
        raise CommandError(
            f"{name} is a Django superuser and an admin whatever its role.", returncode=2
        )
    had = role_of(user)
    _join(user, role)
    if had is role:
        return f"{name} is {role} already; its password stays."
    was = f"is {role} now and was {had}" if had else f"is {role} now, but its account is closed"
    return f"{name} {was}; its password stays."


def _join(user: User, role: Role) -> None:
    """One role only: the highest group would count."""
    user.groups.remove(*Group.objects.filter(name__in=list(Role)))
    user.groups.add(Group.objects.get(name=role))
