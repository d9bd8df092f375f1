"""What is permanent and no other test guards."""

import gc
import weakref

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client

from tests.access.conftest import static_root as static_root  # noqa: PLC0414 - a fixture
from validation.resilience import BreakerConfig, Breakers, Change


class Listener:
    def __init__(self) -> None:
        self.heard: list[Change] = []

    def __call__(self, change: Change) -> None:
        self.heard.append(change)


def test_a_breaker_that_goes_leaves_no_listener() -> None:
    listener = Listener()
    known = weakref.ref(listener)
    breakers = Breakers({"": BreakerConfig()}, listen=listener)
    held = breakers.get("node:a:block")
    del listener
    breakers.destroy()
    gc.collect()
    assert known() is None
    assert held.name == "node:a:block"  # whoever still holds it holds nobody else with it


@pytest.mark.django_db
@pytest.mark.usefixtures("static_root")
def test_a_session_lives_in_the_database_alone() -> None:
    user = User.objects.create_user("anyone")
    client = Client()
    client.force_login(user)
    assert client.get("/workers/").status_code == 200
    Session.objects.all().delete()
    assert client.get("/workers/").status_code == 302
