"""Workers: what each says of itself, and how old it is."""

from collections.abc import Callable

import pytest
from django.test import Client

from monitoring import snapshots, valkey
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
