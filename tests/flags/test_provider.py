"""The process's copy of the flags: exchanged whole, newest wins, and Postgres is the truth."""

from typing import Any

import psycopg
import pytest
import structlog
from django.db import connection
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode, OpenFeatureError

from console.flags.models import Flag
from console.flags.provider import FlagProvider
from validation.models import Control, ControlRevision

DEMO: dict[str, Any] = {
    "flags": {
        "word": {
            "state": "ENABLED", "variants": {"a": "A", "b": "B"}, "defaultVariant": "a",
            "targeting": {"if": [{"==": [{"var": "who"}, "ada"]}, "b"]},
        },
        "number": {"state": "ENABLED", "variants": {"one": 1}, "defaultVariant": "one"},
        "ratio": {"state": "ENABLED", "variants": {"x": 0.5, "y": 1}, "defaultVariant": "y"},
        "switch": {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"},
        "tree": {"state": "ENABLED", "variants": {"t": {"x": [1]}}, "defaultVariant": "t"},
        "off": {"state": "DISABLED", "variants": {"t": "t"}, "defaultVariant": "t"},
        "odd": {
            "state": "ENABLED", "variants": {"t": "t"}, "defaultVariant": "t",
            "targeting": {"no_such_operator": []},
        },
    }
}  # fmt: skip


@pytest.fixture
def provider() -> FlagProvider:
    found = FlagProvider()
    found.set_document(DEMO, 5)
    return found


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("number", 1, "STATIC"),
        ("ratio", 1.0, "STATIC"),
        ("switch", True, "STATIC"),
        ("tree", {"x": [1]}, "STATIC"),
        ("off", None, "DISABLED"),
        ("word", "A", "DEFAULT"),
    ],
)
def test_any_type_is_evaluated(provider: FlagProvider, key: str, value: Any, reason: str) -> None:
    found = provider.evaluate(key)
    assert (found.value, found.reason, found.error_code) == (value, reason, None)
    assert type(found.value) is type(value)


def test_what_is_wrong_is_told_and_raises_nothing(provider: FlagProvider) -> None:
    assert provider.evaluate("nobody").error_code == ErrorCode.FLAG_NOT_FOUND
    odd = provider.evaluate("odd", EvaluationContext("k", {}))
    assert (odd.error_code, odd.reason) == (ErrorCode.PARSE_ERROR, "ERROR")
    assert "no_such_operator" in str(odd.error_message)


def test_openfeature_asks_it(provider: FlagProvider) -> None:
    api.set_provider_and_wait(provider, "test-provider")
    client = api.get_client("test-provider")
    found = client.get_string_details("word", "?", EvaluationContext("k", {"who": "ada"}))
    assert (found.value, found.variant, found.reason) == ("B", "b", "TARGETING_MATCH")
    assert client.get_integer_value("number", 0) == 1
    assert client.get_boolean_value("switch", False) is True
    assert client.get_float_value("ratio", 0.0) == 1.0
    assert client.get_object_value("tree", {}) == {"x": [1]}
    assert client.get_string_value("number", "mine") == "mine"


def test_an_older_revision_never_replaces_a_newer_one(provider: FlagProvider) -> None:
    heard: list[int] = []
    provider.subscribe(lambda: heard.append(provider.revision))
    assert provider.set_document({"flags": {}}, 4) is False
    assert (provider.revision, provider.document, heard) == (5, DEMO, [])
    assert provider.set_document({"flags": {}}, 6) is True
    assert (provider.revision, heard) == (6, [6])


def test_a_document_that_is_none_changes_nothing(provider: FlagProvider) -> None:
    bad = {"flags": {"word": {"state": "PERHAPS", "variants": {"a": "A"}}}}
    with pytest.raises(OpenFeatureError):
        provider.set_document(bad, 9)
    assert (provider.revision, provider.evaluate("word").value) == (5, "A")


class Server:
    """The table of flags, on the test's own connection."""

    def __init__(self) -> None:
        connection.ensure_connection()
        self.link: psycopg.Connection[Any] = connection.connection

    def change(self, revision: int, **columns: Any) -> None:
        Flag.objects.filter(key="rpc.retry").update(revision=revision, **columns)
        Control.objects.update_or_create(
            kind="flags", name="", defaults={"revision": revision, "reason": "r", "actor": "a"}
        )
        ControlRevision.objects.update_or_create(id=1, defaults={"value": revision})


@pytest.fixture
def table(db: None) -> Server:
    found = Server()
    found.change(7, stage=25)
    return found


def test_what_is_new_is_read_and_nothing_else(table: Server) -> None:
    now = 50.0
    provider = FlagProvider(clock=lambda: now)
    assert provider.age_s is None
    assert provider.refresh(table.link) is True
    assert provider.revision == 7
    now, before = 53.0, provider.document
    assert str(provider.age_s) == "3.0"
    assert provider.refresh(table.link) is False
    assert provider.document is before
    assert str(provider.age_s) == "0.0"
    table.change(8, stage=0)
    assert provider.refresh(table.link) is True
    assert provider.evaluate("rpc.retry").variant == "none"


def test_a_flag_that_was_deleted_or_brought_is_seen(table: Server) -> None:
    provider = FlagProvider()
    provider.refresh(table.link)
    Flag.objects.filter(key="rpc.sharing").delete()  # past the console: no revision says it
    assert provider.refresh(table.link) is True
    assert provider.evaluate("rpc.sharing").error_code == ErrorCode.FLAG_NOT_FOUND


def test_a_database_restored_to_an_older_state_is_believed(table: Server) -> None:
    provider = FlagProvider()
    table.change(40, stage=100)
    provider.refresh(table.link)
    table.change(12, stage=0)
    assert provider.refresh(table.link) is True
    assert (provider.revision, provider.evaluate("rpc.retry").variant) == (12, "none")


def test_another_server_is_read_whole_though_its_number_is_known(table: Server) -> None:
    provider = FlagProvider()
    provider.refresh(table.link)
    Flag.objects.filter(key="rpc.retry").update(stage=0)
    assert provider.refresh(table.link) is False, "the number is the same"

    class Link:
        """The same server by another connection."""

        def execute(self, *args: Any) -> Any:
            return table.link.execute(*args)

    assert provider.refresh(Link()) is True  # type: ignore[arg-type]
    assert provider.evaluate("rpc.retry").variant == "none"


def test_a_server_that_fails_leaves_what_was_known(table: Server) -> None:
    class Gone:
        def execute(self, *args: Any) -> Any:
            raise psycopg.OperationalError("the server closed the connection")

    provider = FlagProvider()
    provider.refresh(table.link)
    document = provider.document
    with pytest.raises(psycopg.OperationalError):
        provider.refresh(Gone())  # type: ignore[arg-type]
    assert provider.document is document


def test_one_flag_that_flagd_refuses_keeps_nobody_from_the_others(table: Server) -> None:
    Flag.objects.filter(key="rpc.sharing").update(variants={})
    provider = FlagProvider()
    with structlog.testing.capture_logs() as lines:
        provider.refresh(table.link)
    assert [line["flag"] for line in lines] == ["rpc.sharing"]
    assert provider.evaluate("rpc.retry").error_code is None
    assert provider.evaluate("rpc.sharing").error_code == ErrorCode.FLAG_NOT_FOUND
