"""Who looks at pages while something is broken, and nothing looked at before."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from tests import empty_world
from tests.faults.scene import session
from tests.pages.conftest import Page

type See = Callable[[str], str]


@pytest.fixture
def unseen(transactional_db: None) -> Iterator[None]:
    """No alert, no sample, no figure, no wake-up, nobody's turn."""
    empty_world.begin()
    yield
    empty_world.empty_servers()


@pytest.fixture
def see(unseen: None) -> See:
    """The words of the page at an address."""
    # WhiteNoise warns of a missing folder, and warnings are errors here.
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    client = Client()
    client.force_login(User.objects.create_superuser("who-looks"))

    def look(address: str) -> str:
        answer = client.get(address)
        assert answer.status_code == 200, answer.content[:2_000]
        return Page(answer.content.decode()).text.replace("\u202f", " ")

    return look


@pytest.fixture
def others(unseen: None) -> Iterator[Callable[[str], psycopg.Connection[Any]]]:
    """Sessions of Postgres by the name of whose they are."""
    made: list[psycopg.Connection[Any]] = []

    def connect(name: str) -> psycopg.Connection[Any]:
        made.append(session(name))
        return made[-1]

    yield connect
    for one in made:
        one.close()
