"""`manage.py user`: makes an account with a role, or gives one that exists another role.

Either is told in the audit trail, without the password.
"""

import secrets
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from console.access import granting
from console.access.granting import IsSuperuser
from console.access.roles import Role
from console.controls import Refused, bounds
from console.management.acting import actor

_LONGEST = 150  # the column's length
_REASON = "Given at a terminal"


class Command(BaseCommand):
    help = "Makes an account, or changes the role of one. A new one's password is shown once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="what the person signs in with")
        parser.add_argument("--role", required=True, help=", ".join(Role))

        parser.add_argument(
            "--reason", default=_REASON, help="10 to 500 characters; it stands in the audit trail"
        )

    def handle(self, *, name: str, role: str, reason: str, **_: Any) -> None:
        wanted = _role(role)
        _check_name(name)
        why = _reason(reason)
        try:
            said = _give(name, wanted, why)
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


def _give(name: str, role: Role, reason: str) -> str:
    """What was done, for the terminal."""
    password = secrets.token_urlsafe(15)
    try:
        given = granting.give_role(actor(), name, role, password, reason=reason)
    except IsSuperuser as exc:
        raise CommandError(
            f"{exc} is a Django superuser and an admin whatever its role.", returncode=2
        ) from exc
    name, had = given.user.get_username(), given.before
    if given.is_new:
        return f"{name} may sign in as {role}. The password, shown this once: {password}"
    if had is role:
        return f"{name} is {role} already; its password stays."
    was = f"is {role} now and was {had}" if had else f"is {role} now, but its account is closed"
    return f"{name} {was}; its password stays."


def _reason(text: str) -> str:
    try:
        return bounds.reason_of(text)
    except Refused as exc:
        raise CommandError(f"--reason {text!r} is not {exc.expected}.", returncode=2) from exc
