"""People of each role, and a run to look at."""

from pathlib import Path

import pytest
from django.conf import settings as project
from django.contrib.auth.models import Group, User
from django.test import Client
from pytest_django import Settings

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def quick_passwords(settings: Settings) -> None:
    """A second of hashing a password is what production wants and tests do not."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def people(db: None, quick_passwords: None) -> dict[str, User]:
    """A user of each role, by its name."""
    made = {}
    for role in ("viewer", "operator", "admin"):
        made[role] = User.objects.create_user(role, password=PASSWORD)
        # A test that commits empties the tables behind it, these groups among them.
        made[role].groups.add(Group.objects.get_or_create(name=role)[0])
    return made


@pytest.fixture
def clients(people: dict[str, User]) -> dict[str, Client]:
    """A browser signed in as each role, and an anonymous one."""
    found = {"anonymous": Client()}
    for role, user in people.items():
        found[role] = Client()
        found[role].force_login(user)
    return found


@pytest.fixture(scope="session", autouse=True)
def static_root() -> None:
    """WhiteNoise warns of a missing folder, and warnings are errors here."""
    Path(project.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
