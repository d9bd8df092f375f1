"""`manage.py retention`, and what beat asks for."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from console import retention
from console.access.models import AuditEntry
from console.celery import app
from console.retention import tasks
from tests.pages.conftest import clients, people, static_root  # noqa: F401 - fixtures, found by name
from validation.models import Run


def call(*options: str) -> tuple[int, str, str]:
    out, err = StringIO(), StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("retention", *options, stdout=out, stderr=err)
    return int(str(ended.value.code)), out.getvalue(), err.getvalue()


@pytest.fixture
def old_run(db: None, kept: Settings) -> Run:
    kept.RETAIN_RUNS_DAYS = 30
    return Run.objects.create(
        state="done", title="x", total=2, origin="api",
        finished_at=timezone.now() - timedelta(days=40),
    )  # fmt: skip


def test_a_dry_run_says_what_is_due_and_drops_nothing(old_run: Run) -> None:
    status, said, _ = call("--dry-run")
    assert status == 0
    assert "runs: kept 30 days (RETAIN_RUNS_DAYS), the oldest: " in said
    assert "; 1 due, from before " in said
    assert "audit: kept for ever (RETAIN_AUDIT_DAYS), the oldest: nothing there" in said
    assert "monitoring_point_10s: " in said
    assert "dropped" not in said
    assert Run.objects.exists()


def test_it_drops_and_says_how_many_and_who_did(old_run: Run) -> None:
    status, said, _ = call()
    assert (status, "runs: 1 dropped" in said, "0 due" in said) == (0, True, True)
    assert not Run.objects.exists()
    assert "@" in AuditEntry.objects.get().actor


def test_as_json(old_run: Run) -> None:
    told = json.loads(call("--json")[1])
    runs = told["kinds"]["runs"]
    assert (runs["days"], runs["dropped"], runs["due"], runs["lacks"]) == (30, 1, 0, "")
    assert told["kinds"]["audit"]["before"] is None
    assert set(told["history_bytes"]) == {
        *("monitoring_point_10s", "monitoring_point_1m", "monitoring_point_1h")
    }
    assert json.loads(call("--dry-run", "--json")[1])["kinds"]["runs"]["dropped"] is None


def test_what_may_not_be_dropped_ends_with_one(
    old_run: Run, kept: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = retention.Turn(target="audit", dropped=0, lacks="the role does not own it")
    monkeypatch.setattr(retention, "turn", lambda *_, **__: [turn])
    status, _, err = call()
    assert (status, err) == (1, "audit: not dropped: the role does not own it.\n")


def test_a_database_that_is_away_ends_with_two(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("connection refused\nmore")

    monkeypatch.setattr(retention, "turn", away)
    with pytest.raises(CommandError, match=r"does not answer.*connection refused$") as refused:
        call_command("retention")
    assert refused.value.returncode == 2


def test_beat_asks_for_it_and_waits_where_the_database_is_away(
    old_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    [entry] = [e for e in app.conf.beat_schedule.values() if e["task"] == "retention.turn"]
    assert entry["schedule"] <= 3600
    tasks.turn()
    assert not Run.objects.exists()
    assert AuditEntry.objects.get().actor == "retention"

    def away(*_: object, **__: object) -> None:
        raise OperationalError

    monkeypatch.setattr(tasks, "one_turn", away)
    tasks.turn()


def test_the_audit_page_tells_of_it_in_words(
    old_run: Run,
    clients: dict[str, Client],  # noqa: F811 - the fixture
) -> None:
    tasks.turn()
    said = clients["admin"].get("/audit/?kind=retention").content.decode()
    assert "1 runs with 2 items" in said
    assert "Dropped" in said
    assert "/revert/" not in said
