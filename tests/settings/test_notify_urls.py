"""NOTIFY_URLS and PUBLIC_URL as they are read at the start, and checked before a deployment."""

import pytest
from django.test import override_settings

from console import checks, env
from console.notify_urls import destinations, public_url
from monitoring.alerts.destinations import Destination

DIGESTS = ("daily", "weekly", "monthly")


def test_destinations_are_read_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_URLS", "json://h/x;name=hook, slack://A/B/C;severity=critical")
    assert [(one.scheme, one.least) for one in destinations("NOTIFY_URLS")] == [
        ("json", "warning"),
        ("slack", "critical"),
    ]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("slack:/T/secret", "an address begins with its service"),
        ("slack://T/secret;severity=all", "severity=all is not one of"),
        ("json://secret/x json://secret/x", "is there twice"),
        ("json://secret/x;name=a json://other/y;name=a", "a is there twice"),
    ],
)
def test_what_is_wrong_is_refused_in_a_line_without_the_address(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str, says: str
) -> None:
    monkeypatch.setenv("NOTIFY_URLS", value)
    with pytest.raises(SystemExit):
        destinations("NOTIFY_URLS")
    line = capsys.readouterr().err
    assert line.startswith("switchyard: NOTIFY_URLS=")
    assert says in line
    assert "secret" not in line


@pytest.mark.parametrize(
    ("said", "trusted", "here", "hosts", "found"),
    [
        (["https://a.example"], ["https://b.example"], "", ["c.example"], "https://a.example"),
        ([], ["https://*.example", "https://b.example"], "", ["c.example"], "https://b.example"),
        ([], [], "http://127.0.0.1:8000", ["localhost"], "http://127.0.0.1:8000"),
        ([], [], "", [".example", "*", "c.example"], "https://c.example"),
        ([], [], "", [], ""),
    ],
)
def test_links_begin_with_what_people_type(
    said: list[str], trusted: list[str], here: str, hosts: list[str], found: str
) -> None:
    assert public_url(said, trusted, here=here, hosts=hosts) == found


@pytest.mark.parametrize(
    ("value", "found"), [("", DIGESTS), ("none", ()), ("monthly, daily", ("daily", "monthly"))]
)
def test_digests_are_chosen(
    monkeypatch: pytest.MonkeyPatch, value: str, found: tuple[str, ...]
) -> None:
    monkeypatch.setenv("NOTIFY_DIGESTS", value)
    assert env.chosen("NOTIFY_DIGESTS", DIGESTS) == found


def test_a_digest_that_there_is_not_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NOTIFY_DIGESTS", "hourly")
    with pytest.raises(SystemExit):
        env.chosen("NOTIFY_DIGESTS", DIGESTS)
    assert "NOTIFY_DIGESTS='hourly' is not one of daily, weekly, monthly" in capsys.readouterr().err


def test_an_address_that_apprise_does_not_understand_is_an_error_before_deployment() -> None:
    good = Destination.parse("jsons://hooks.example/x;name=hook")
    bad = Destination.parse("slack://s3cr3t;name=chat")
    with override_settings(NOTIFY_DESTINATIONS=(good, bad)):
        (message,) = checks.those_who_are_told_can_be()
    assert message.id == "switchyard.E005"
    assert "chat" in message.msg
    assert "s3cr3t" not in f"{message.msg}{message.hint}"
