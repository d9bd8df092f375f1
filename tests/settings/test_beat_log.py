"""What beat says of a broker that is away: a line for each task, and of a mistake the whole."""

import logging
from typing import Any

import pytest
from celery.beat import ScheduleEntry, Scheduler
from celery.schedules import schedule
from kombu.exceptions import OperationalError

from console.celery import app


def said(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> list[logging.LogRecord]:
    """What the log gets of one task that is due."""

    def refused(*_: Any, **__: Any) -> None:
        raise fault

    monkeypatch.setattr(app, "send_task", refused)
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", records.append)
    logger = logging.getLogger("celery.beat")
    logger.addHandler(handler)
    try:
        entry = ScheduleEntry(
            name="sweep", task="no.such", schedule=schedule(2.0), app=app, options={}
        )
        Scheduler(app=app, lazy=True, Producer=lambda *_, **__: None).apply_entry(entry)
    finally:
        logger.removeHandler(handler)
    return records


@pytest.mark.parametrize(
    "fault", [OperationalError("Timeout reading\nfrom socket"), ConnectionRefusedError("no")]
)
def test_a_broker_that_is_away_is_one_line(
    monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    [record] = said(monkeypatch, fault)
    text = logging.Formatter().format(record)
    assert text.startswith("beat: not sent: Couldn't apply scheduled task sweep: ")
    assert "\n" not in text


def test_a_mistake_of_ours_is_told_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    [record] = said(monkeypatch, TypeError("of our own"))
    text = logging.Formatter().format(record)
    assert "Traceback (most recent call last)" in text
    assert "of our own" in text
