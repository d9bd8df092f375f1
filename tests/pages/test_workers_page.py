"""Workers: what each says of itself, and how old it is."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from monitoring import snapshots, valkey
from monitoring.incarnations import SUM
from monitoring.models import Incarnation
from tests import made_up_database
from tests.pages.conftest import Page

See = Callable[..., Page]


def test_what_a_worker_says(
    operator: Client, see: See, worker_reports: Callable[..., None]
) -> None:
    worker_reports(busy=True)
    page = see(operator, "/workers/")
    for said in (
        "Up · working",
        "4711@rack-4",
        "12 345",
        "1 540/s",
        "84 MB",
        "1 / 1",
    ):
        assert said in page.text, said


@pytest.mark.parametrize(
    ("life_ms", "said"),
    [
        (580_000, ("Stale · no report", "1 stale, 0 gone")),
        (400_000, ("Gone · no report", "0 stale, 1 gone")),
    ],
)
def test_silence_is_seen(
    operator: Client,
    see: See,
    worker_reports: Callable[..., None],
    life_ms: int,
    said: tuple[str, ...],
) -> None:
    worker_reports()
    valkey.client().pexpire("switchyard:worker:rack-4:4711", life_ms)
    page = see(operator, "/workers/")
    for words in (*said, "0 / 1"):
        assert words in page.text


def test_nobody_reports(operator: Client, see: See) -> None:
    assert snapshots.workers() == []
    page = see(operator, "/workers/")
    assert "No worker reports" in page.text
    assert "Look again" in page.text


def test_a_worker_that_asked_no_node_yet(
    operator: Client, see: See, worker_reports: Callable[..., None]
) -> None:
    worker_reports(node={})
    row = see(operator, "/workers/").text.partition("84 MB")[2]
    assert row.startswith(" – – ")


def test_what_the_killed_did_not_tell_is_said(operator: Client, see: See) -> None:
    assert "0 processes ended without a last word" in see(operator, "/workers/").text
    unsaid = [["switchyard_incarnations_lost", {"process": "worker"}, 2]]
    now = timezone.now()
    Incarnation.objects.create(id=SUM, kind="", sequence=1, ended=True, counters=unsaid)
    Incarnation.objects.create(id="host:1:1", kind="web", sequence=1, silent_since=now)
    Incarnation.objects.create(id="host:2:1", kind="worker", sequence=1)
    Incarnation.objects.create(
        id="host:3:1", kind="worker", sequence=1, silent_since=now, compacted=True
    )
    said = "3 processes ended without a last word at most a second of counting each is lost"
    assert said in see(operator, "/workers/").text


def test_wake_ups_in_the_queue_and_their_age(operator: Client, see: See) -> None:
    made_up_database.publish(celery=made_up_database.a_queue())
    text = see(operator, "/workers/").text
    assert "Wake-ups queued 14 2 with workers, oldest 8.0" in text
    made_up_database.publish(celery="It cannot be reached.")
    text = see(operator, "/workers/").text
    assert "Wake-ups queued no data It cannot be reached." in text


def test_wake_ups_before_anybody_looked(operator: Client, see: See) -> None:
    assert "Wake-ups queued no data nobody has looked yet" in see(operator, "/workers/").text
