"""One drill of a flag and target waits at a time, whoever asks for it and when."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from console.access.models import AuditEntry
from console.rehearsals import rehearsing, running, standing
from console.rehearsals.models import Rehearsal, State
from tests.rehearsals.made_up import ACTOR

FLAG, TARGET = "web.compression", "brotli"


@pytest.mark.django_db
def test_two_who_ask_at_the_same_moment_are_given_one_drill(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting, other = standing.waiting, list[Rehearsal]()

    def look(*of: str) -> Rehearsal | None:
        """The other one asks right after it was looked whether anybody did."""
        found = waiting(*of)
        if not other:
            monkeypatch.setattr(standing, "waiting", waiting)
            other.append(running.make(FLAG, TARGET, ACTOR))
        return found

    monkeypatch.setattr(standing, "waiting", look)
    assert [running.make(FLAG, TARGET, ACTOR)] == other
    assert Rehearsal.objects.count() == 1
    assert AuditEntry.objects.filter(action="rehearse").count() == 1


@pytest.mark.django_db
def test_who_cannot_begin_at_once_gives_up_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    running.make(FLAG, "gzip", ACTOR)
    lease = {"state": State.RUNNING, "lease_until": timezone.now() + timedelta(seconds=60)}
    Rehearsal.objects.update(**lease)
    make = running._make

    def late(*of: Any) -> Rehearsal:
        """Somebody else's is made between the look and this."""
        monkeypatch.setattr(running, "_make", make)
        running.make(FLAG, TARGET, ACTOR)
        return make(*of)

    monkeypatch.setattr(running, "_make", late)
    with pytest.raises(rehearsing.Busy, match="two at a time would measure each other"):
        rehearsing.run_now(FLAG, TARGET, ACTOR)
    assert Rehearsal.objects.get(target=TARGET).state == State.QUEUED


def migrate(name: str) -> None:
    MigrationExecutor(connection).migrate([("rehearsals", name)])


@pytest.fixture
def before(transactional_db: None) -> Iterator[None]:
    """A database of which two could wait."""
    migrate("0001_initial")
    try:
        yield
    finally:
        migrate("0002_one_waits")


@pytest.mark.usefixtures("before")
def test_of_those_that_wait_already_the_first_is_kept() -> None:
    row: dict[str, Any] = {"flag": FLAG, "baseline": "none", "actor": "ops"}
    made = [
        Rehearsal.objects.create(target=target, state=state, **row)
        for target, state in (
            ("brotli", State.PASSED), ("brotli", State.QUEUED), ("gzip", State.QUEUED),
            ("brotli", State.QUEUED), ("brotli", State.QUEUED),
        )
    ]  # fmt: skip
    migrate("0002_one_waits")
    for one in made:
        one.refresh_from_db()
    ended = [State.INTERRUPTED] * 2
    assert [one.state for one in made] == [State.PASSED, State.QUEUED, State.QUEUED, *ended]
    assert made[-1].why == "Another drill of it waited already."
