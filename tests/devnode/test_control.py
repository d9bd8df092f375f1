"""`/_control`: what is set is applied whole or not at all, and what is wrong is named."""

from typing import Any

import pytest

from tests.devnode.asking import Within, call


def test_it_shows_settings_counters_and_chain(node: Within) -> None:
    node.post([call("eth_chainId")] * 3)
    state = node.get("/_control").json
    assert state["settings"] == {
        "latency_ms": 0,
        "jitter_ms": 0,
        "error_rate": 0,
        "timeout_rate": 0,
        "rate_limit": 0,
        "lie": None,
    }
    assert state["counters"]["requests"] == 1
    assert state["counters"]["calls"] == 3
    assert state["counters"]["max_calls_in_flight"] == 3
    assert state["chain"]["transactions"] == 13_240


def test_what_is_set_is_shown_and_stays(node: Within) -> None:
    assert node.control(lie="tx-value", latency_ms=5).status == 200
    shown = node.control(error_rate=0.5).json["settings"]
    assert (shown["lie"], shown["latency_ms"], shown["error_rate"]) == ("tx-value", 5, 0.5)
    assert node.control(lie=None).json["settings"]["lie"] is None


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("error_rate", 1.5, "error_rate must be a share from 0 to 1, not 1.5."),
        ("error_rate", -0.1, "not -0.1"),
        ("error_rate", True, "not True"),
        ("timeout_rate", "0.5", "timeout_rate must be a share from 0 to 1, not '0.5'."),
        ("latency_ms", -1, "latency_ms must be milliseconds"),
        ("jitter_ms", 1e9, "jitter_ms must be milliseconds"),
        ("rate_limit", None, "rate_limit must be requests a second"),
        ("lie", "white", "lie must be one of the lies"),
        ("lie", ["tx-value"], "lie must be one of the lies"),
        ("colour", "red", "the settings are latency_ms"),
        ("lie", "x" * 5000, "lie must be"),
    ],
)
def test_a_bad_value_is_refused_naming_field_and_value(
    node: Within, field: str, value: Any, says: str
) -> None:
    answer = node.control(
        **{"latency_ms": 77, field: value} if field != "latency_ms" else {field: value}
    )
    assert answer.status == 422
    assert answer.json["field"] == field
    assert answer.json["value"] == repr(value) or len(repr(value)) > 80
    assert says in answer.json["error"]
    assert len(answer.body) < 600
    assert node.get("/_control").json["settings"]["latency_ms"] == 0, "nothing is half applied"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"lie"', b"\xff", b'{"error_rate":NaN}'])
def test_what_is_not_an_object_of_settings_is_refused(node: Within, body: bytes) -> None:
    answer = node.post(body, "/_control")
    assert answer.status == 422
    assert "JSON object of settings" in answer.json["error"]


def test_other_methods_are_not_allowed(node: Within) -> None:
    answer = node.post(b"", "/_control", "DELETE")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")
