"""Clocks that are set ten minutes ahead or back: no lease lost, no alarm, no gap."""

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from monitoring import processes
from monitoring.models import Alert, Notification
from tests.faults.conftest import See
from tests.faults.scene import BEAT, Scene
from tests.made_up_fleet import a_worker, publish
from validation import wiring
from validation.ledger import Ledger
from validation.models import Chunk, Item, Run, RunState

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unseen")]

_TEN_MINUTES = 600


@pytest.fixture(params=[_TEN_MINUTES, -_TEN_MINUTES], ids=["ahead", "back"])
def jump_s(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def off(jump_s: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process's clocks; Postgres' is right."""
    of_system, of_django = time.time, timezone.now
    monkeypatch.setattr(time, "time", lambda: of_system() + jump_s)
    monkeypatch.setattr(timezone, "now", lambda: of_django() + timedelta(seconds=jump_s))


@pytest.fixture
def ledgers(unseen: None) -> Iterator[tuple[Ledger, Ledger]]:
    run = Run.objects.create(
        state=RunState.RUNNING, total=1, title="One", origin="page",
        created_by=User.objects.create_user("who-asked"),
    )  # fmt: skip
    Item.objects.create(run_id=run.pk, ordinal=0, subject="block:1")
    Chunk.objects.create(run=run, first=0, size=1)
    made = [Ledger(wiring.connect, name, restart_grace_s=0) for name in ("one", "two")]
    yield made[0], made[1]
    for ledger in made:
        ledger.close()


@pytest.mark.usefixtures("off")
def test_a_lease_is_of_postgres_clock(ledgers: tuple[Ledger, Ledger]) -> None:
    mine, other = ledgers
    claim = mine.claim()
    assert claim is not None
    assert other.expire() == 0
    assert other.claim() is None
    assert mine.renew(claim)
    with connection.cursor() as cursor:
        cursor.execute("SELECT lease_until - now() FROM validation_chunk")
        assert timedelta(0) < cursor.fetchone()[0] < timedelta(minutes=1)
    assert mine.release(claim)


@pytest.mark.usefixtures("off")
def test_figures_are_kept_by_postgres_clock_and_nobody_is_alarmed(see: See) -> None:
    scene = Scene()
    publish(a_worker(breakers=(), pools=()))
    processes.publish(BEAT)
    scene.collector.turn()
    assert scene.evaluator.turn().mine
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), abs(extract(epoch FROM now() - max(at))) FROM monitoring_point_10s"
        )
        number, furthest_s = cursor.fetchone()
    assert number > 0
    assert furthest_s < 60
    assert not Alert.objects.exists()
    assert "Postgres does not answer" not in see("/database/")


def test_what_is_well_stays_so_and_what_fires_is_not_told_again(
    jump_s: int,
) -> None:
    scene = Scene(postgres__long_transaction=(0.0, None))
    scene.look()
    alert = Alert.objects.get()
    for _ in range(2):
        scene.look()
    scene.look(jump_s)
    for _ in range(6):
        scene.look()
    assert Alert.objects.get().pk == alert.pk
    assert [one.what for one in Notification.objects.all()] == ["fired"]
