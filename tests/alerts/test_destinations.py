"""Addresses of NOTIFY_URLS: read, named, routed, and never shown with what opens them."""

import pytest

from monitoring.alerts.destinations import Destination, listed


def test_addresses_are_split_where_a_scheme_begins() -> None:
    text = "mailto://mail.example.com?to=a@b.example,c@d.example, slack://A/B/C;severity=critical\n json://h/x"
    assert listed(text) == [
        "mailto://mail.example.com?to=a@b.example,c@d.example",
        "slack://A/B/C;severity=critical",
        "json://h/x",
    ]


def test_options_stand_at_the_end_and_are_no_part_of_the_address() -> None:
    found = Destination.parse("slack://A/B/C;severity=critical;name=on-call")
    assert (found.address, found.least, found.name) == ("slack://A/B/C", "critical", "on-call")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("no-scheme-secret", "begins with its service"),
        ("slack://A/secret;severity=fatal", "severity=fatal is not one of warning, critical"),
        ("slack://A/secret;sev=critical", ";sev=… is not one of name, severity"),
        ("slack://A/secret;name=On Call", ";name=On Call is not up to 40"),
    ],
)
def test_a_bad_one_is_refused_without_its_secret(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"begins with|is not") as refused:
        Destination.parse(text)
    assert says in str(refused.value)
    assert "secret" not in str(refused.value)


def test_two_of_a_service_have_names_of_their_own_that_stay() -> None:
    names = [Destination.parse(f"slack://T/{key}").name for key in ("one", "two", "one")]
    assert names[0] == names[2] != names[1]
    assert all(name.startswith("slack-") and len(name) == len("slack-") + 6 for name in names)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("slack://TokenA/TokenB/TokenC", "slack://…"),
        ("pagerduty://integration@apikey", "pagerduty://…"),
        ("jsons://joe:pass@hook.example:8443/token", "jsons://hook.example:8443/…"),
        ("mailtos://joe:pass@mail.example/?to=a@b.example", "mailtos://mail.example/…"),
        ("json://[bad/token", "json://…"),
    ],
)
def test_nothing_that_opens_it_is_shown(address: str, shown: str) -> None:
    found = Destination.parse(address)
    assert found.shown == shown
    assert address not in repr(found)


def test_what_a_service_says_loses_the_parts_of_the_address() -> None:
    found = Destination.parse("jsons://joe:hunter22@hook.example/t0ken99?auth=k3y-of-mine")
    said = found.without_secrets("401 of hook.example for hunter22 at /t0ken99?auth=k3y-of-mine")
    assert "hook.example" in said
    assert not any(part in said for part in ("hunter22", "t0ken99", "k3y-of-mine"))


@pytest.mark.parametrize(
    ("address", "said", "secrets"),
    [
        ("json://bob:p%40ssw0rd9@hook.example/x", "no p@ssw0rd9, no p%40ssw0rd9", ["ssw0rd9"]),
        ("json://hook.example/?+X-Key=abc%2Fdefgh", "got abc/defgh", ["defgh"]),
        ("json://hook.example/?+X-Key=abc+defgh", "got 'abc defgh'", ["defgh"]),
        ("json://bob:XyZ@hook.example/", "user bob with XyZ, XyZ.", ["bob", "XyZ"]),
        ("json://bob:hook@web.hook.example/", "password hook refused", ["hook "]),
        ("slack://TOKA/TOKB/XyZ", "Failed at TOKA/TOKB/XyZ: gone, error=404.", ["TOK", "XyZ"]),
        ("slack://TOKA/TOKB/XyZ", "Failed at tokatokbxyz: gone, error=404.", ["tok", "xyz"]),
    ],
)
def test_no_form_of_a_key_is_left(address: str, said: str, secrets: list[str]) -> None:
    found = Destination.parse(address).without_secrets(said)
    assert not any(secret in found for secret in secrets), found


def test_of_a_service_whose_address_is_a_key_the_kind_of_failure_stays() -> None:
    slack = Destination.parse("slack://TOKA/TOKB/XyZ")
    assert slack.without_secrets("Failed: gone TOKA, error=404. error=404.") == "error=404"
    assert slack.without_secrets("A Connection error occurred: TOKA") == "Connection error"
    assert slack.without_secrets("TOKA is what TOKB") == ""


@pytest.mark.parametrize(
    ("address", "severity", "what", "takes"),
    [
        ("slack://A", "warning", "fired", True),
        ("slack://A", "critical", "cleared", True),
        ("slack://A", "warning", "digest", True),
        ("slack://A;severity=critical", "warning", "fired", False),
        ("slack://A;severity=critical", "critical", "worse", True),
        ("slack://A;severity=critical", "warning", "digest", False),
        ("slack://A;severity=critical", "warning", "test", True),
        # Each word sent to a pager is a new incident: it is never told that one is over.
        ("pagerduty://A", "critical", "fired", True),
        ("pagerduty://A", "critical", "cleared", False),
        ("pagerduty://A", "warning", "digest", False),
    ],
)
def test_it_is_told_what_its_severity_asks_for(
    address: str, severity: str, what: str, *, takes: bool
) -> None:
    assert Destination.parse(address).takes(severity, what) is takes
