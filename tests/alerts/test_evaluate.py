"""Looks written down in a real Postgres: once, whoever else looks, whatever dies on the way."""

import threading
from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection
from pytest_django import Settings

from monitoring.alerts import rows, turns
from monitoring.alerts.destinations import Destination
from monitoring.alerts.evaluate import Evaluated
from monitoring.collectors.questions import questions
from monitoring.models import Alert, Delivery, Notification, Silence
from tests import empty_world
from tests.alerts.looking import Watched, a_rule, at, keys, seen

pytestmark = pytest.mark.django_db(transaction=True)
POOL = "db.pool_used"


@pytest.fixture(autouse=True)
def nobody_looked() -> Iterator[None]:
    empty_world.begin()
    yield
    empty_world.empty_servers()


def full(value: float = 0.85) -> Watched:
    watched = Watched(a_rule())
    watched.says(POOL, seen(value, words="7 of 8"))
    return watched


def test_an_alert_from_its_begin_to_its_end() -> None:
    watched = full()
    looks = watched.turns(one := watched.evaluator(), 0, 30)
    alert = Alert.objects.get()
    assert (alert.state, alert.severity, alert.group) == ("firing", "warning", "database")
    assert (alert.began_at, alert.fired_at, alert.seen_at) == (at(0), at(10), at(30))
    assert (alert.value, alert.worst, alert.words, alert.threshold) == (0.85, 0.85, "7 of 8", 0.8)
    assert (alert.told, alert.told_at) == ("warning", at(25))
    told = Notification.objects.get()
    assert [told.key] == keys(looks)
    assert (told.what, told.severity, told.routed) == ("fired", "warning", False)
    assert told.alerts == [
        {
            "id": alert.pk, "rule": POOL, "subject": "db.default", "severity": "warning",
            "words": "7 of 8", "value": 0.85, "what": "fired",
        }
    ]  # fmt: skip
    watched.says(POOL, seen(0.2))
    watched.turns(one, 35, 80)
    alert.refresh_from_db()
    assert (alert.state, alert.cleared_at, alert.told) == ("cleared", at(65), "over")
    assert [n.what for n in Notification.objects.order_by("pk")] == ["fired", "cleared"]


def test_what_was_only_pending_leaves_nothing_behind() -> None:
    watched = full()
    watched.turns(one := watched.evaluator(), 0, 5)
    assert Alert.objects.get().state == "pending"
    watched.says(POOL, seen(0.2))
    watched.turns(one, 10, 10)
    assert not Alert.objects.exists()
    assert not Notification.objects.exists()


def test_it_gets_worse_and_that_is_told_too() -> None:
    watched = full()
    watched.turns(one := watched.evaluator(), 0, 25)
    watched.says(POOL, seen(1.0))
    watched.turns(one, 30, 60)
    assert [n.what for n in Notification.objects.order_by("pk")] == ["fired", "worse"]
    assert Alert.objects.get().told == "critical"


def test_one_trouble_that_is_critical_a_moment_later_is_told_once() -> None:
    watched = full()
    watched.turns(one := watched.evaluator(), 0, 5)
    watched.says(POOL, seen(1.0))
    watched.turns(one, 10, 10)
    alert = Alert.objects.get()
    # It is shown at once.
    assert (alert.state, alert.severity, alert.told) == ("firing", "warning", "")
    watched.turns(one, 15, 60)
    told = Notification.objects.get()
    assert (told.what, told.severity, told.created_at) == ("fired", "critical", at(20))


def test_what_fires_is_told_as_that_once_also_when_another_of_its_group_joins_it() -> None:
    watched = Watched(a_rule(), a_rule("db.pool_waits", hold_s=0.0))
    one = watched.evaluator()
    watched.says(POOL, seen(0.85))
    watched.turns(one, 0, 10)
    # A minute later the first becomes worse and another fires: one notification, each as it is.
    watched.turns(one, 15, 70)
    watched.says(POOL, seen(1.0))
    watched.turns(one, 75, 80)
    watched.says("db.pool_waits", seen(0.85))
    watched.turns(one, 85, 85)
    watched.turns(one, 90, 200)
    told = [
        [(alert["rule"], alert["what"]) for alert in notification.alerts]
        for notification in Notification.objects.order_by("pk")
    ]
    assert told == [[(POOL, "fired")], [(POOL, "worse"), ("db.pool_waits", "fired")]]
    assert Notification.objects.filter(key__contains=".fired.").count() == 2


def test_what_goes_on_is_listed_as_that_and_not_told_again() -> None:
    watched = Watched(a_rule(), a_rule("db.pool_waits", hold_s=0.0))
    watched.says(POOL, seen(0.85))
    watched.turns(one := watched.evaluator(), 0, 90)
    watched.says("db.pool_waits", seen(0.85))
    watched.turns(one, 95, 200)
    first, second = Notification.objects.order_by("pk")
    assert [alert["rule"] for alert in second.alerts] == ["db.pool_waits"]
    assert second.title == "WARNING About db.pool_waits: db.default"
    assert "No news, and goes on:\n  warning db.pool_used db.default since" in second.body
    assert "goes on" not in first.body


def test_two_who_look_tell_once() -> None:
    watched = full()
    first, second = watched.evaluator("one"), watched.evaluator("two")
    looks: list[Evaluated] = []
    for moment in range(0, 61, 5):
        together = threading.Barrier(2)

        def look(evaluator: object, moment: int, together: threading.Barrier = together) -> None:
            together.wait()
            looks.append(evaluator.turn(at(moment)))  # type: ignore[attr-defined]
            connection.close()

        threads = [
            threading.Thread(target=look, args=(evaluator, moment)) for evaluator in (first, second)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)
    assert sum(bool(one.mine) for one in looks) == 13
    assert Alert.objects.count() == 1
    assert Notification.objects.count() == 1
    assert len(keys(looks)) == 1


def test_another_goes_on_where_one_died() -> None:
    watched = full()
    watched.turns(watched.evaluator("one"), 0, 5)
    watched.turns(watched.evaluator("two"), 10, 20)
    alert = Alert.objects.get()
    assert (alert.state, alert.fired_at) == ("firing", at(10))


def test_one_killed_before_its_commit_leaves_all_to_be_told_by_the_next() -> None:
    """The connection ends in the middle of the turn that would tell, as after a SIGKILL."""
    watched = full(1.0)
    watched.turns(dying := watched.evaluator("dying"), 0, 5)
    watched.before_write = _kill_lookers
    assert dying.turn(at(10)) == Evaluated(mine=None)
    assert not Notification.objects.exists()
    watched.before_write = lambda: None
    looks = watched.turns(watched.evaluator("next"), 15, 30)
    assert len(keys(looks)) == 1
    assert Notification.objects.count() == 1


def _kill_lookers() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'switchyard collector' AND pid <> pg_backend_pid()"
        )


def test_who_was_frozen_writes_nothing_after_another_has_looked() -> None:
    watched = full(1.0)
    watched.turns(watched.evaluator("one"), 0, 5)
    other = watched.evaluator("other")
    once = iter([True])

    def overtake() -> None:
        if next(once, False):
            other.turn(at(15))

    watched.before_write = overtake
    assert watched.evaluator("frozen").turn(at(10)).mine is False
    assert Notification.objects.count() == 1
    assert Alert.objects.get().fired_at == at(15)


def test_of_looks_that_last_longer_than_their_five_seconds_the_first_to_end_is_written() -> None:
    watched = full(1.0)
    watched.turns(watched.evaluator("one"), 0, 5)
    seen_by_second, first_is_done = threading.Event(), threading.Event()
    looks: list[Evaluated] = []
    second = watched.evaluator("second")

    def look_second() -> None:
        try:
            looks.append(second.turn(at(15)))
        finally:
            connection.close()

    thread = threading.Thread(target=look_second)

    def go_on_until_the_next_has_begun() -> None:
        watched.before_write = go_on_until_the_first_is_done
        thread.start()
        assert seen_by_second.wait(30)

    def go_on_until_the_first_is_done() -> None:
        seen_by_second.set()
        assert first_is_done.wait(30)

    watched.before_write = go_on_until_the_next_has_begun
    try:
        first = watched.evaluator("first").turn(at(10))
    finally:
        first_is_done.set()
        thread.join(timeout=30)
    assert first.mine is True
    assert [one.mine for one in looks] == [False]
    assert Notification.objects.count() == 1
    # Who was too late takes the next turn as ever.
    watched.before_write = lambda: None
    assert second.turn(at(20)).mine is True
    assert Notification.objects.count() == 1


def test_one_who_hangs_while_it_writes_is_thrown_out() -> None:
    with questions() as on:
        turn = turns.claim(on, "hanging", at(0))
        assert turn is not None
        with on.transaction(writes=True) as cursor:
            assert turns.hold(cursor, turn)
            cursor.execute("SELECT current_setting('idle_in_transaction_session_timeout') AS set")
            assert (cursor.fetchone() or {})["set"] == "5s"
            with questions() as another:
                assert turns.claim(another, "another", at(5)) is None
        assert turns.claim(on, "another", at(5)) is not None


def test_who_fails_each_time_has_not_looked() -> None:
    watched = full()

    def fail() -> None:
        raise psycopg.errors.LockNotAvailable

    watched.before_write = fail
    assert watched.evaluator().turn(at(0)).mine is None
    assert turns.last_look() == turns.LastLook()
    assert turns.last_look().is_missed
    watched.before_write = lambda: None
    assert watched.evaluator().turn(at(5)).mine is True
    assert turns.last_look().at == at(5)


def test_the_same_five_seconds_are_looked_at_once_also_when_the_clock_was_set_back() -> None:
    watched = full()
    one = watched.evaluator()
    assert one.turn(at(100)).mine is True
    assert one.turn(at(101)).mine is False
    assert one.turn(at(40)).mine is True


def test_nobody_is_told_of_what_is_silenced_until_that_ends() -> None:
    Silence.objects.create(rule=POOL, begins_at=at(-60), ends_at=at(60), reason="Known.", by="me")
    watched = full()
    watched.turns(one := watched.evaluator(), 0, 55)
    alert = Alert.objects.get()
    assert alert.state == "firing"
    assert alert.muted.startswith("silence ")
    assert not Notification.objects.exists()
    watched.turns(one, 60, 60)
    alert.refresh_from_db()
    assert (alert.muted, alert.told) == ("", "warning")
    assert Notification.objects.count() == 1


def test_what_follows_from_another_is_shown_and_not_told() -> None:
    watched = Watched(a_rule(), a_rule("postgres.down", subject="", mutes=(POOL,)))
    watched.says(POOL, seen(1.0))
    watched.says("postgres.down", seen(1.0, subject=""))
    watched.turns(watched.evaluator(), 0, 20)
    assert Alert.objects.get(rule=POOL).muted == "follows from postgres.down"
    assert [a["rule"] for a in Notification.objects.get().alerts] == ["postgres.down"]


def test_a_source_that_is_away_changes_nothing() -> None:
    watched = full()
    watched.turns(one := watched.evaluator(), 0, 10)
    watched.now[POOL] = None
    watched.turns(one, 15, 120)
    alert = Alert.objects.get()
    assert (alert.state, alert.unknown_since, alert.seen_at) == ("firing", at(15), at(10))


def test_what_is_ill_in_the_database_is_not_told_as_calm(
    session_of_tests: psycopg.Connection,
) -> None:
    watched = full()
    watched.turns(one := watched.evaluator(), 0, 5)
    session_of_tests.execute("BEGIN; LOCK monitoring_alert")
    assert one.turn(at(10)).mine is None
    session_of_tests.execute("ROLLBACK")
    watched.turns(one, 15, 15)
    assert Alert.objects.get().state == "firing"


@pytest.fixture
def session_of_tests(transactional_db: None) -> Iterator[psycopg.Connection]:
    from tests.services import CLUSTER  # noqa: PLC0415 - its name is the test database's now

    url = CLUSTER.postgres.url_of(str(connection.settings_dict["NAME"]))
    with psycopg.connect(url, autocommit=True) as made:
        yield made


def test_a_destination_that_is_dead_is_known_after_five_minutes(settings: Settings) -> None:
    names = ("pager", "hung", "given", "well", "fresh", "digest")
    settings.NOTIFY_DESTINATIONS = tuple(
        Destination.parse(f"slack://T/{name};name={name}") for name in names
    )

    def sent(name: str, state: str, *, ago_s: int, what: str = "fired") -> None:
        told = Notification.objects.create(
            key=f"{name}.{what}", group="database", severity="critical", what=what, title="T",
            body="B", created_at=at(10_000 - ago_s),
        )  # fmt: skip
        Delivery.objects.create(
            notification=told, destination=name, state=state, next_at=at(10_000 - ago_s)
        )

    sent("pager", "failed", ago_s=301)
    sent("hung", "due", ago_s=7_000)
    sent("given", "given_up", ago_s=3_500)
    sent("well", "delivered", ago_s=400)
    sent("fresh", "failed", ago_s=290)
    sent("digest", "failed", ago_s=400, what="digest")
    sent("no-more", "given_up", ago_s=400)
    with questions() as on:
        assert rows.read(on, at(10_000)).undelivered == {"pager": 1, "hung": 1, "given": 1}
