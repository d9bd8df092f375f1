from ipaddress import ip_network
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings

from console import checks
from validation.rpc import NodeUrl


@pytest.mark.parametrize(
    ("check", "changed", "number"),
    [
        (checks.a_secret_key_is_set, {"SECRET_KEY": ""}, "E002"),
        (checks.servers_are_set, {"REDIS_URL": ""}, "E003"),
        (checks.servers_are_set, {"CELERY_BROKER_URL": ""}, "E003"),
        (checks.a_node_is_set, {"NODES": ()}, "W002"),
        (checks.the_chain_is_known, {"NODE_CHAIN_ID": None}, "W005"),
        (checks.development_is_off, {"DEVELOPMENT": True}, "W003"),
        (
            checks.origins_are_safe,
            {"OFREP_ORIGINS": ("https://a.example", "http://b.example"), "DEVELOPMENT": False},
            "W006",
        ),
    ],
)  # fmt: skip
def test_each_check_speaks(check: Any, changed: dict[str, Any], number: str) -> None:
    with override_settings(**changed):
        [message] = check()
    assert message.id == f"switchyard.{number}"
    assert message.hint


@pytest.mark.parametrize("changed", [{"NODE_CHAIN_ID": 1}, {"NODE_CHAIN_ID": None, "NODES": ()}])
def test_a_chain_that_is_named_or_asked_by_nobody_needs_no_word(changed: dict[str, Any]) -> None:
    with override_settings(**changed):
        assert checks.the_chain_is_known() == []


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


@pytest.mark.parametrize(
    ("host", "development", "refused"),
    [
        ("10.0.0.7", False, "a private or reserved address, which NODE_PRIVATE_NETWORKS"),
        ("10.0.0.7", True, "a private or reserved address, which NODE_PRIVATE_NETWORKS"),
        ("[fe80::1]", False, "a link-local address"),
        ("127.0.0.1", False, "a loopback address"),
        ("127.0.0.1", True, ""),
        ("192.168.4.4", False, ""),
        ("1.1.1.1", False, ""),
        ("node.example", False, ""),
    ],
)
def test_a_node_that_is_never_asked_is_warned_of(
    host: str, development: bool, refused: str
) -> None:
    node = NodeUrl.parse(f"http://user:hunter2@{host}:8545/v3/0123456789abcdef")
    with override_settings(
        NODES=(node,),
        DEVELOPMENT=development,
        NODE_PRIVATE_NETWORKS=(ip_network("192.168.0.0/16"),),
    ):
        found = checks.nodes_may_be_asked()
    assert [message.id for message in found] == (["switchyard.W004"] if refused else [])
    for message in found:
        assert f"{node.label}, whose host is {refused}" in message.msg
        assert "hunter2" not in str(message)
        assert "0123456789abcdef" not in str(message)


@pytest.mark.parametrize(
    ("options", "admin", "numbers"),
    [
        ({"options": "-c work_mem=1MB"}, "postgresql://u:p@h:6432/pgbouncer", ["E004"]),
        ({"options": "-c work_mem=1MB"}, "", []),
        ({"sslmode": "require"}, "postgresql://u:p@h:6432/pgbouncer", []),
        ({}, "postgresql://u:p@h:6432/switchyard", ["W007"]),
    ],
)
def test_what_pgbouncer_does_not_pass_on_is_refused(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, str], admin: str, numbers: list[str]
) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "OPTIONS", options)
    with override_settings(PGBOUNCER_ADMIN_URL=admin):
        found = checks.settings_reach_postgres()
    assert [message.id for message in found] == [f"switchyard.{number}" for number in numbers]
    assert all(message.hint for message in found)


@pytest.mark.django_db
def test_a_role_that_owns_the_audit_trail_is_warned_of() -> None:
    """The tests' own is a superuser, a member of every role."""
    [message] = checks.the_trail_is_not_the_applications(databases=["default"])
    assert message.id == "switchyard.W008"
    assert "access_auditentry and access_audithead" in message.msg
    assert checks.the_trail_is_not_the_applications(databases=None) == []
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE owns_nothing")
        cursor.execute("SET LOCAL ROLE owns_nothing")
        assert checks.the_trail_is_not_the_applications(databases=["default"]) == []
        cursor.execute("RESET ROLE")
