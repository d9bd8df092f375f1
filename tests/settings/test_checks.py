from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from console import checks


@pytest.mark.parametrize(
    ("check", "changed", "number"),
    [
        (checks.a_secret_key_is_set, {"SECRET_KEY": ""}, "E002"),
        (checks.servers_are_set, {"REDIS_URL": ""}, "E003"),
        (checks.servers_are_set, {"CELERY_BROKER_URL": ""}, "E003"),
        (checks.a_node_is_set, {"NODES": ()}, "W002"),
        (checks.development_is_off, {"DEVELOPMENT": True}, "W003"),
    ],
)  # fmt: skip
def test_each_check_speaks(check: Any, changed: dict[str, Any], number: str) -> None:
    with override_settings(**changed):
        [message] = check()
    assert message.id == f"switchyard.{number}"
    assert message.hint


def test_a_missing_database_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.a_database_is_set() == []
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "django.db.backends.dummy")
    assert [message.id for message in checks.a_database_is_set()] == ["switchyard.E001"]


@pytest.mark.parametrize(
    ("cache", "broker", "shared"),
    [
        ("redis://h:6379/0", "redis://h/1", True),
        ("redis://h:6379/0", "redis://h:6380/0", False),
        ("unix:///run/a.sock", "redis+socket:///run/a.sock?virtual_host=1", True),
        ("redis://h/0", "amqp://h//", False),
        ("", "redis://h/0", False),
    ],
)
def test_a_broker_on_the_caches_server_is_warned_of(cache: str, broker: str, shared: bool) -> None:
    with override_settings(REDIS_URL=cache, CELERY_BROKER_URL=broker):
        found = checks.the_broker_has_a_server_of_its_own()
    assert [message.id for message in found] == (["switchyard.W001"] if shared else [])
