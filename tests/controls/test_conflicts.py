"""Two people at once: one wins, the other is told; revisions become visible in their order."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import connections, transaction

from console import controls
from console.access.models import AuditEntry
from console.controls import Conflict
from tests.controls.conftest import L2, WHY, actor
from validation import controls as obeyed
from validation.models import Control

N = 8


def at_once(*acts: Callable[[], object]) -> list[object]:
    """What each came to, an exception included; all of them start together."""
    together = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        try:
            together.wait(10)
            return act()
        except Conflict as exc:
            return exc
        finally:
            connections["default"].close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


@pytest.mark.django_db
def test_who_saw_an_older_revision_is_told_what_came_between() -> None:
    first = controls.release_breaker(actor(name="ada"), L2, reason=WHY)
    controls.release_breaker(actor(name="bea"), L2, reason=WHY, based_on=first.revision)
    with pytest.raises(Conflict, match=r"bea changed this at .*revision 2, you saw 1") as told:
        controls.reset_breaker(actor(name="ada"), L2, reason=WHY, based_on=first.revision)
    assert told.value.current.revision == 2
    assert AuditEntry.objects.count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize("seen", [1, -1, 2**62])
def test_a_revision_that_never_was_is_no_match(seen: int) -> None:
    with pytest.raises(Conflict, match="Nobody changed this yet"):
        controls.reset_breaker(actor(), L2, reason=WHY, based_on=seen)
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db
def test_the_first_change_is_based_on_revision_zero() -> None:
    assert controls.reset_breaker(actor(), L2, reason=WHY, based_on=0).revision == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_who_saw_the_same_one_wins() -> None:
    seen = controls.release_breaker(actor(), L2, reason=WHY).revision

    def act() -> object:
        return controls.tune_breaker(actor(), L2, {"open_s": 9}, reason=WHY, based_on=seen)

    came = at_once(*[act] * N)
    assert sum(isinstance(one, Conflict) for one in came) == N - 1
    assert AuditEntry.objects.count() == 2
    assert Control.objects.get().revision == seen + 1


@pytest.mark.django_db(transaction=True)
def test_the_very_first_changes_may_come_at_once() -> None:
    at_once(*[lambda: controls.purge(actor(), "all", reason=WHY, confirm="all")] * N)
    assert sorted(row.revision for row in Control.objects.all()) == list(range(1, N + 1))


def test_a_reader_never_sees_a_later_revision_before_an_earlier_one(
    worker_connection: psycopg.Connection[Any],
) -> None:
    """The slow commit comes first or not at all: what is read is never skipped afterwards."""
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> object:
        with transaction.atomic():
            order = controls.reset_breaker(actor(), L2, reason=WHY)
            begun.set()
            assert go_on.wait(10)
        return order

    def quick() -> object:
        assert begun.wait(10)
        threading.Timer(0.2, go_on.set).start()
        return controls.purge(actor(), "all", reason=WHY, confirm="all")

    seen: set[int] = set()
    known = 0
    stop = threading.Event()

    def read_on() -> None:
        nonlocal known
        while not stop.is_set():
            changes = obeyed.read(worker_connection, known)
            seen.update(row.revision for row in changes.rows)
            known = changes.revision

    reading = threading.Thread(target=read_on)
    reading.start()
    try:
        at_once(slow, quick)
    finally:
        stop.set()
        reading.join(10)
    # The reader may have stopped before the last of them; one it skipped does not come now.
    seen.update(row.revision for row in obeyed.read(worker_connection, known).rows)
    assert seen == {1, 2}
