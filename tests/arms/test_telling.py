"""What processes say of their arms, through a real cache server."""

import json

import pytest
import redis

from monitoring import arms, valkey
from monitoring.arms import Told, Work
from tests.arms.made import FLAG, work
from tests.arms.made import arms as made

pytestmark = pytest.mark.usefixtures("empty_cache")
KEY = "switchyard:arms:host:1"


def listed() -> tuple[Told, ...]:
    found = arms.read()
    assert found is not None
    return found


def test_what_was_published_is_read_with_its_age() -> None:
    said = made(flags={FLAG: {"coalesced": work([0.004, 0.2], failed=1), "single": Work()}})
    arms.publish(said)
    [told] = listed()
    assert told.arms == said
    assert 0 <= told.age_s < 5
    assert not told.is_silent
    seconds, micros = valkey.client().time()
    assert abs(seconds + micros / 1e6 - told.read_at) < 5


def test_a_newer_word_takes_the_place_of_the_older() -> None:
    arms.publish(made(revision=1))
    arms.publish(made(revision=2))
    assert [told.arms.revision for told in listed()] == [2]


def test_one_that_was_not_heard_for_more_than_five_seconds_is_silent() -> None:
    arms.publish(made())
    valkey.client().pexpire(KEY, 60_000 - 6_000)
    [told] = listed()
    assert told.is_silent
    assert 5.9 < told.age_s < 9


def test_one_that_stopped_in_order_is_not_read() -> None:
    arms.publish(made("host:1"))
    arms.publish(made("host:2"))
    arms.retire("host:1")
    assert [told.arms.process for told in listed()] == ["host:2"]


def test_one_whose_word_ended_is_forgotten() -> None:
    arms.publish(made())
    valkey.client().delete(KEY)
    assert listed() == ()
    assert not valkey.client().smembers("switchyard:arms")


@pytest.mark.parametrize("body", ["rubbish", "{}", '{"process": "host:1", "kind": 3}'])
def test_what_cannot_be_read_is_nobodys_word(body: str) -> None:
    arms.publish(made("host:1"))
    arms.publish(made("host:2"))
    valkey.client().set(KEY, body)
    assert [told.arms.process for told in listed()] == ["host:2"]


def test_counts_by_other_bounds_are_not_mixed_with_ours() -> None:
    arms.publish(made())
    body = json.loads(valkey.client().get(KEY))
    body["flags"][FLAG]["coalesced"]["buckets"].pop()
    valkey.client().set(KEY, json.dumps(body))
    assert listed() == ()


def test_another_type_in_its_place_is_nobodys_word() -> None:
    valkey.client().sadd("switchyard:arms", "host:1")
    valkey.client().lpush(KEY, "x")
    assert listed() == ()


def test_nobody_to_ask_is_no_empty_list(no_valkey: None) -> None:
    assert arms.read() is None
    arms.retire("host:1")  # says nothing
    with pytest.raises(redis.RedisError):
        arms.publish(made())
