"""What Apprise really does: to a webhook and a mail server on loopback."""

import email
import os
import subprocess
import sys

import pytest

from monitoring.alerts.destinations import Destination
from monitoring.alerts.sending import send
from tests.alerts.receivers import mail_server, webhook


def test_a_webhook_gets_title_body_and_kind() -> None:
    with webhook() as heard:
        said = send(
            Destination.parse(heard.url), "Pool full", "8 of 8\nKey: k-1", severity="critical",
            what="fired",
        )  # fmt: skip
    assert said == ""
    (got,) = heard.got
    assert (got["title"], got["message"], got["type"]) == (
        "Pool full", "8 of 8\nKey: k-1", "failure",
    )  # fmt: skip


def test_what_is_over_is_told_as_good_news() -> None:
    with webhook() as heard:
        send(Destination.parse(heard.url), "T", "B", severity="critical", what="cleared")
    assert heard.got[0]["type"] == "success"


def test_mail_arrives_with_subject_and_text() -> None:
    with mail_server() as (port, messages):
        address = f"mailto://127.0.0.1:{port}?from=yard@a.example&to=ops@b.example&mode=insecure"
        said = send(
            Destination.parse(address), "Pool full", "8 of 8", severity="warning", what="fired"
        )
    assert said == ""
    (message,) = (email.message_from_string(text) for text in messages)
    assert message["Subject"] == "Pool full"
    assert message["To"] == "ops@b.example"
    assert "8 of 8" in messages[0]


@pytest.mark.parametrize("status", [403, 500])
def test_a_refusal_is_told_with_its_status_and_no_secret(status: int) -> None:
    with webhook() as heard:
        heard.status = status
        said = send(Destination.parse(heard.url), "T", "B", severity="warning", what="fired")
    assert f"error={status}" in said
    assert "s3cr3t" not in said


def test_a_server_that_is_away_is_told_in_words() -> None:
    with webhook() as heard:
        address = heard.url
    said = send(Destination.parse(address), "T", "B", severity="warning", what="fired")
    assert "Connection error" in said
    assert "s3cr3t" not in said


def test_a_service_that_apprise_has_not_is_named() -> None:
    said = send(Destination.parse("pigeon://s3cr3t"), "T", "B", severity="warning", what="fired")
    assert said == "Apprise does not understand this address of pigeon://."


def test_nothing_loads_apprise_before_the_first_message() -> None:
    program = (
        "import django, sys; django.setup(); import monitoring.alerts.notifying;"
        "print('apprise' in sys.modules)"
    )
    environment = {
        **os.environ,
        "NOTIFY_URLS": "slack://A/B/C",
        "DJANGO_SETTINGS_MODULE": "console.settings",
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "False"
