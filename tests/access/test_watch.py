"""The trail is checked twice a minute within a bound, told to the log, and alarmed of."""

from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError
from structlog.testing import capture_logs

from console.access import chain, tasks, watch
from console.access.models import AuditCheck, AuditEntry
from console.celery import app
from monitoring import events
from tests.access.test_chain import tamper, ten, write  # noqa: F401 - a fixture among them

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The topics that were published."""
    topics: list[str] = []
    monkeypatch.setattr(events, "publish", lambda *names: topics.extend(names))
    return topics


def check(**bounds: int) -> tuple[AuditCheck, list[dict[str, Any]]]:
    with capture_logs() as lines:
        found = watch.check(now=lambda: NOON, **bounds)
    return found, [dict(line) for line in lines]


def test_the_head_goes_to_the_log_as_an_anchor_can_be_given(
    ten: list[AuditEntry],  # noqa: F811 - the fixture
    told: list[str],
) -> None:
    found, [line] = check()
    assert (line["event"], line["position"], line["hash"]) == ("audit.head", 10, ten[-1].hash)
    assert (found.fault, found.position, found.checked_at) == ("", 10, NOON)
    assert told == ["audit"]
    assert chain.verify([chain.Anchor.parse(f"{line['position']}:{line['hash']}")]).broken is None


def test_what_is_broken_is_told_at_each_turn_until_it_is_right(
    ten: list[AuditEntry],  # noqa: F811 - the fixture
    told: list[str],
) -> None:
    check()
    tamper("UPDATE access_auditentry SET actor = 'eve' WHERE position = 4")
    for _ in range(2):
        found, lines = check()
        assert (found.fault, found.fault_position) == ("edited", 4)
        [alarm] = [line for line in lines if line["log_level"] == "error"]
        assert (alarm["event"], alarm["fault"], alarm["position"]) == ("audit.broken", "edited", 4)
    assert told.count("alarms") == 1
    tamper("UPDATE access_auditentry SET actor = 'ada 3' WHERE position = 4")
    found, lines = check()
    assert found.fault == ""
    assert "audit.whole_again" in {line["event"] for line in lines}
    assert told.count("alarms") == 2


def test_it_remembers_the_head_that_it_saw_last(ten: list[AuditEntry], told: list[str]) -> None:  # noqa: F811 - the fixture
    """Cut off together with its head, the trail is whole in itself."""
    check()
    tamper(
        "DELETE FROM access_auditentry WHERE position > 8",
        "UPDATE access_audithead SET position = 8, hash ="
        " (SELECT hash FROM access_auditentry WHERE position = 8)",
    )
    for _ in range(2):
        found, _ = check()
        assert (found.fault, found.fault_position, found.position) == ("truncated", 10, 10)


def test_a_long_trail_is_checked_in_turns_and_its_newest_rows_in_each(
    ten: list[AuditEntry],  # noqa: F811 - the fixture
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[int] = []
    walk = chain.walk

    def counted(after: chain.Anchor, until: int) -> chain.Walk:
        walked = walk(after, until)
        looked.append(walked.rows)
        return walked

    monkeypatch.setattr(chain, "walk", counted)
    bounds = {"rows": 5, "newest": 2}
    assert [check(**bounds)[0].swept_to for _ in range(4)] == [3, 6, 8, 3]
    assert max(map(sum, zip(looked[::2], looked[1::2], strict=True))) == 5
    tamper("UPDATE access_auditentry SET actor = 'eve' WHERE position = 7")
    faults = [check(**bounds)[0].fault for _ in range(4)]
    # Found when its turn comes, and never lost again.
    assert faults == ["", "edited", "edited", "edited"]
    tamper(
        "UPDATE access_auditentry SET actor = 'ada 6' WHERE position = 7",
        "UPDATE access_auditentry SET actor = 'eve' WHERE position = 9",
    )
    assert check(**bounds)[0].fault == "edited"


def test_a_check_that_was_removed_raises_the_alarm_until_the_trail_is_held_to_an_anchor(
    ten: list[AuditEntry],  # noqa: F811 - the fixture
    told: list[str],
) -> None:
    check()
    AuditCheck.objects.all().delete()
    tamper(
        "DELETE FROM access_auditentry WHERE position > 8",
        "UPDATE access_audithead SET position = 8, hash ="
        " (SELECT hash FROM access_auditentry WHERE position = 8)",
    )
    for _ in range(2):
        found, lines = check()
        assert (found.fault, found.position) == ("forgotten", 0)
        assert "audit.broken" in {line["event"] for line in lines}
    assert "alarms" in told
    assert verified("--anchor", f"10:{ten[9].hash}") == 1
    assert check()[0].fault == "forgotten"
    assert verified() == 0  # whole in itself, and held to nothing
    assert check()[0].fault == "forgotten"
    assert verified("--anchor", f"8:{ten[7].hash}") == 0
    found, lines = check()
    assert (found.fault, found.position) == ("", 8)


def verified(*options: str) -> int:
    with pytest.raises(SystemExit) as ended:
        call_command("audit", "--verify", *options, stdout=StringIO(), stderr=StringIO())
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_new_database_begins_with_a_check_that_alarms_of_nothing(
    db: None, told: list[str]
) -> None:
    assert AuditCheck.objects.get().checked_at is None
    assert check()[0].fault == ""


@pytest.mark.parametrize(
    ("rows", "minutes"), [(0, 0.5), (50_000, 0.5), (50_001, 1), (90_000, 1), (1_000_000, 12.5)]
)
def test_how_long_all_rows_take_is_what_the_turns_make_of_it(rows: int, minutes: float) -> None:
    assert watch.minutes(rows) == minutes
    assert app.conf.beat_schedule["check-audit"]["schedule"] == watch.TURN_S


def test_beat_asks_for_it_twice_a_minute_and_outlives_the_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = app.conf.beat_schedule["check-audit"]
    assert entry["schedule"] <= 30
    assert entry["task"] == tasks.check_audit.name

    def away() -> None:
        raise OperationalError

    monkeypatch.setattr(watch, "check", away)
    with capture_logs() as lines:
        tasks.check_audit()
    assert [line["event"] for line in lines] == ["audit.not_checked"]
