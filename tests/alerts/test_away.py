"""Postgres is away: told once all the same, and written down when it is back."""

from collections.abc import Iterator, Mapping

import pytest
from django.test import override_settings

from monitoring import valkey
from monitoring.alerts import away
from monitoring.alerts.away import Away
from monitoring.alerts.catalogue import RULES
from monitoring.models import Alert, Delivery, Notification
from tests import empty_world
from tests.alerts.looking import NOON, Watched, at, seen

pytestmark = pytest.mark.django_db(transaction=True)
DOWN = "postgres.down"
WORDS = "It cannot be reached, or the connection was cut."


class Post:
    """A process that misses Postgres, and what it tells of that."""

    def __init__(self, outcomes: Mapping[str, str] | None = None) -> None:
        self.told: list[Notification] = []
        self.outcomes = {"mail": ""} if outcomes is None else outcomes
        self.second = 0.0
        self.away = Away(
            tell=self._tell, clock=lambda: self.second, wall=lambda: NOON.timestamp() + self.second
        )

    def misses(self, *seconds: float) -> None:
        for self.second in seconds:
            self.away.missed(WORDS)

    def _tell(self, notification: Notification) -> Mapping[str, str]:
        self.told.append(notification)
        return self.outcomes


@pytest.fixture(autouse=True)
def nobody_looked() -> Iterator[None]:
    empty_world.begin()
    yield
    empty_world.empty_servers()


def back(*, by: Away, begin: int = 30, end: int = 30) -> None:
    """Postgres answers again, and who looks writes down what there was."""
    watched = Watched(RULES[DOWN])
    watched.says(DOWN, seen(1.0, subject=""))
    watched.turns(watched.evaluator(away=by), begin, end)


def test_a_short_absence_is_no_alarm() -> None:
    post = Post()
    post.misses(0, 5, 9)
    back(by=post.away)
    assert post.told == []
    assert not Alert.objects.exists()


def test_it_is_told_once_and_written_down_when_it_is_back() -> None:
    post = Post({"mail": "", "pager": "No answer within 30 s."})
    post.misses(0, 5, 10, 15, 20)
    (told,) = post.told
    assert (told.severity, told.what, told.group) == ("critical", "fired", "database")
    assert WORDS in told.body
    back(by=post.away)
    alert = Alert.objects.get()
    assert (alert.rule, alert.state, alert.told) == (DOWN, "firing", "critical")
    assert (alert.began_at, alert.fired_at) == (at(0), at(10))
    written = Notification.objects.get()
    assert (written.key, written.routed) == (told.key, True)
    assert dict(Delivery.objects.values_list("destination", "state")) == {
        "mail": "delivered", "pager": "failed",
    }  # fmt: skip
    back(by=post.away, begin=35, end=60)
    alert.refresh_from_db()
    assert alert.state == "cleared"
    assert [n.what for n in Notification.objects.order_by("pk")] == ["fired", "cleared"]


def test_two_who_miss_it_tell_once_by_one_key() -> None:
    first, second = Post(), Post()
    for moment in (0, 5, 10, 15):
        first.misses(moment)
        second.misses(moment)
    assert len(first.told) + len(second.told) == 1
    back(by=second.away)
    assert Notification.objects.get().key == first.told[0].key
    back(by=first.away, begin=35, end=35)
    assert Alert.objects.count() == Notification.objects.count() == 1


def test_where_who_was_to_tell_died_another_does_by_the_same_key() -> None:
    dying, next_ = Post(), Post()

    def die(_: Notification) -> Mapping[str, str]:
        raise SystemExit

    dying.away._tell = die  # in the middle of telling
    with pytest.raises(SystemExit):
        dying.misses(0, 10)
    next_.misses(0, 10)
    assert next_.told == []
    _pass_claim()
    next_.misses(60)
    (told,) = next_.told
    begun = away.Outage(began=NOON.timestamp(), fired=0, words="")
    assert told.key == begun.key


def _pass_claim() -> None:
    assert valkey.client().delete("switchyard:alerts:postgres-down:claim") == 1


def test_what_could_be_told_to_nobody_is_told_the_ordinary_way() -> None:
    post = Post()
    post.misses(0, 5)
    # Its claim is another's, who never tells.
    valkey.client().set("switchyard:alerts:postgres-down:claim", "1")
    post.misses(10)
    back(by=post.away)
    assert Alert.objects.get().told == "critical"
    written = Notification.objects.get()
    assert (written.what, written.routed) == ("fired", False)


def test_without_the_cache_server_each_tells_by_itself_and_only_once() -> None:
    valkey.client.cache_clear()
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        post = Post()
        post.misses(0, 10, 15, 20)
        assert len(post.told) == 1
        back(by=post.away)
    valkey.client.cache_clear()
    assert Alert.objects.get().told == "critical"
    assert Notification.objects.get().key == post.told[0].key


def test_one_who_hears_that_it_is_back_begins_anew() -> None:
    post = Post()
    post.misses(0, 5)
    post.away.over()
    post.misses(10, 15)
    assert post.told == []
    post.misses(20)
    assert len(post.told) == 1
