"""Deliveries: written down first, tried until taken, a slow one holding up nobody."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from monitoring.alerts import notifying
from monitoring.alerts.destinations import Destination
from monitoring.alerts.lines import Letter
from monitoring.alerts.notifying import BACKOFF_S, Courier
from monitoring.models import Delivery, Notification
from tests.alerts.receivers import webhook

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ALL = Destination.parse("slack://T/all;name=all")
CRITICAL = Destination.parse("slack://T/critical;name=critical;severity=critical")


@dataclass
class Fake:
    """Sends nothing; says what it is told to, and keeps the ill ones waiting."""

    error: str = ""
    slow: frozenset[str] = frozenset()
    got: list[tuple[str, str, str]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def __call__(
        self, destination: Destination, title: str, body: str, *, severity: str, what: str
    ) -> str:
        if destination.name in self.slow:
            self.gate.wait(20)
        self.got.append((destination.name, title, body))
        return self.error


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def fake() -> Iterator[Fake]:
    made = Fake()
    yield made
    made.gate.set()


def told(key: str = "k-1", severity: str = "critical", what: str = "fired") -> Notification:
    return Notification.objects.create(
        key=key, group="database", severity=severity, what=what, title="Pool full", body="8 of 8",
        created_at=NOW,
    )  # fmt: skip


def work(courier: Courier, now: datetime = NOW) -> int:
    begun = courier.turn(now)
    courier.join(10)
    return begun


def states() -> dict[str, str]:
    return dict(Delivery.objects.values_list("destination", "state"))


def test_it_goes_to_those_whom_its_severity_concerns_and_is_written_down(fake: Fake) -> None:
    told(severity="warning")
    courier = Courier([ALL, CRITICAL], send=fake)
    assert work(courier) == 1
    assert [name for name, _, _ in fake.got] == ["all"]
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.error) == ("delivered", 1, "")
    assert delivery.delivered_at is not None
    assert work(courier, NOW + timedelta(hours=3)) == 0


def test_without_a_moment_given_it_goes_by_the_clock_of_postgres(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    told()
    courier = Courier([ALL], send=fake)
    monkeypatch.setattr(notifying, "courier", lambda: courier)
    # The clock of this machine is years behind.
    monkeypatch.setattr(timezone, "now", lambda: NOW - timedelta(days=3_650))
    fake.error = "503"
    assert notifying.deliver_due() == 1
    courier.join(10)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM next_at - clock_timestamp()) FROM monitoring_delivery"
        )
        ((until_s,),) = cursor.fetchall()
    assert BACKOFF_S[0] - 15 < until_s <= BACKOFF_S[0]


def test_the_key_is_in_the_body_and_the_same_when_tried_again(fake: Fake) -> None:
    told(key="database:17")
    fake.error = "503"
    courier = Courier([ALL], send=fake)
    work(courier)
    fake.error = ""
    work(courier, NOW + timedelta(seconds=BACKOFF_S[0] + 1))
    (_, _, first), (_, _, second) = fake.got
    assert first == second
    assert "Key: database:17" in first
    assert states() == {"all": "delivered"}


def test_failures_are_tried_again_at_longer_intervals_and_at_last_given_up(fake: Fake) -> None:
    told()
    fake.error = "error=503"
    courier, now = Courier([ALL], send=fake), NOW
    for wait_s in BACKOFF_S:
        assert work(courier, now) == 1
        row = Delivery.objects.get()
        assert (row.state, row.error) == ("failed", "error=503")
        assert work(courier, now + timedelta(seconds=wait_s - 1)) == 0
        now += timedelta(seconds=wait_s + 1)
    assert work(courier, now) == 1
    assert states() == {"all": "given_up"}
    assert work(courier, now + timedelta(days=1)) == 0
    assert len(fake.got) == len(BACKOFF_S) + 1


def test_one_that_hangs_holds_up_no_other_and_is_tried_again(fake: Fake) -> None:
    told()
    fake.slow = frozenset({"all"})
    clock = Clock()
    courier = Courier([ALL, CRITICAL], send=fake, deadline_s=30, clock=clock)
    assert courier.turn(NOW) == 2
    wait_for(lambda: states()["critical"] == "delivered")
    assert states()["all"] == "due"
    clock.now = 31
    courier.turn(NOW + timedelta(seconds=31))
    row = Delivery.objects.get(destination="all")
    assert (row.state, row.error) == ("failed", "No answer within 30 s.")
    # It answers after all: delivered is delivered.
    fake.gate.set()
    wait_for(lambda: states()["all"] == "delivered")


def test_no_third_is_begun_while_two_hang(fake: Fake) -> None:
    told()
    fake.slow = frozenset({"all"})
    clock, courier = Clock(), None
    courier = Courier([ALL], send=fake, deadline_s=30, clock=clock)
    begun = 0
    for turn in range(20):
        clock.now = turn * 4_000.0
        begun += courier.turn(NOW + timedelta(seconds=clock.now))
    assert begun == 2


def test_two_couriers_deliver_once() -> None:
    for number in range(20):
        told(key=f"k-{number}")
    got: list[str] = []

    def send(destination: Destination, title: str, body: str, *, severity: str, what: str) -> str:
        got.append(body)
        return ""

    couriers = [Courier([ALL], send=send) for _ in range(2)]
    for _ in range(2):
        for courier in couriers:
            courier.turn(NOW)
        for courier in couriers:
            courier.join(10)
    assert len(got) == len(set(got)) == 20
    assert Delivery.objects.filter(state="delivered", attempts=1).count() == 20


def test_one_whose_process_died_is_tried_by_another_once_its_claim_ends(fake: Fake) -> None:
    told()
    dead = Courier([ALL], send=fake)
    fake.slow = frozenset({"all"})
    dead.turn(NOW)  # and is never heard of again
    other = Fake()
    assert work(Courier([ALL], send=other), NOW + timedelta(seconds=30)) == 0
    assert work(Courier([ALL], send=other), NOW + timedelta(seconds=61)) == 1
    assert len(other.got) == 1


def test_without_destinations_it_is_routed_to_nobody_and_not_kept_for_later(fake: Fake) -> None:
    told()
    work(Courier([], send=fake))
    assert not Delivery.objects.exists()
    assert work(Courier([ALL], send=fake)) == 0


def test_what_waits_for_a_destination_that_is_gone_is_given_up_after_an_hour(fake: Fake) -> None:
    told()
    fake.error = "503"
    work(Courier([ALL], send=fake))
    without = Courier([CRITICAL], send=fake)
    work(without, NOW + timedelta(minutes=30))
    assert states() == {"all": "failed"}
    work(without, NOW + timedelta(minutes=90))
    assert states() == {"all": "given_up"}
    assert "NOTIFY_URLS" in Delivery.objects.get().error


def test_it_can_be_told_past_postgres(fake: Fake) -> None:
    fake.error = "503"
    said = Courier([ALL, CRITICAL], send=fake).tell_at_once(
        Letter(title="T", body="B", severity="warning", what="fired")
    )
    assert said == {"all": "503"}


def test_a_webhook_that_is_down_and_back_gets_it_in_the_end() -> None:
    told()
    with webhook() as heard:
        heard.status = 503
        courier = Courier([Destination.parse(heard.url + ";name=hook")])
        work(courier)
        assert "error=503" in Delivery.objects.get().error
        heard.status = 200
        work(courier, NOW + timedelta(minutes=1))
    assert states() == {"hook": "delivered"}
    assert [one["title"] for one in heard.got] == ["Pool full", "Pool full"]


def wait_for(is_so: object, bound_s: float = 20.0) -> None:
    until = time.monotonic() + bound_s
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < until, states()
        threading.Event().wait(0.01)
