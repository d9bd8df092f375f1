"""A server that lets callers wait in vain costs the first its timeout, and nobody after that."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import redis
from django.test import override_settings

from monitoring import events, snapshots, valkey
from monitoring.absence import HOLD_S, Absence, Away


class Server:
    """One that is asked as a real one is; `state`: up, frozen or down."""

    def __init__(self) -> None:
        self.now = 100.0
        self.state = "up"
        self.asked = 0
        self.absence = Absence(self.ask, clock=lambda: self.now)

    def ask(self) -> None:
        self.asked += 1
        if self.state != "up":
            raise {"frozen": redis.TimeoutError, "down": redis.ConnectionError}[self.state]

    def call(self) -> None:
        with self.absence.noticed():
            self.ask()


def test_after_one_that_waited_in_vain_nobody_waits_for_a_second() -> None:
    server = Server()
    server.state = "frozen"
    with pytest.raises(redis.TimeoutError):
        server.call()
    for _ in range(50):
        with pytest.raises(Away):
            server.call()
    assert server.asked == 1
    server.now += HOLD_S
    for _ in range(50):
        with pytest.raises(Away):
            server.call()
    assert server.asked == 2  # one asked again, in the others' place


def test_it_is_back_with_the_first_call_after_a_second() -> None:
    server = Server()
    server.state = "frozen"
    with pytest.raises(redis.TimeoutError):
        server.call()
    server.state = "up"
    with pytest.raises(Away):
        server.call()
    server.now += HOLD_S
    server.call()
    server.call()
    assert server.asked == 4  # once to see that it is back


@pytest.mark.parametrize("later", [False, True])
def test_one_that_refuses_is_asked_each_time(later: bool) -> None:
    """A refusal costs no time, and says what is wrong."""
    server = Server()
    if later:
        server.state = "frozen"
        with pytest.raises(redis.TimeoutError):
            server.call()
        server.now += HOLD_S
    server.state = "down"
    for _ in range(3):
        with pytest.raises(redis.ConnectionError) as refused:
            server.call()
        assert not isinstance(refused.value, Away)


def test_who_asks_again_does_not_wait_for_an_answer_that_is_late() -> None:
    late, now = threading.Event(), [0.0]
    absence = Absence(lambda: late.wait(10), clock=lambda: now[0])
    with pytest.raises(redis.TimeoutError), absence.noticed():
        raise redis.TimeoutError
    now[0] += HOLD_S
    began = time.monotonic()
    with pytest.raises(Away), absence.noticed():
        raise AssertionError("asked")
    assert time.monotonic() - began < 5
    [asking] = [one for one in threading.enumerate() if one.name == "valkey-back"]
    late.set()
    asking.join(timeout=5)
    with absence.noticed():  # the answer counts when it comes
        pass


@pytest.fixture
def frozen(impatient: None) -> Iterator[None]:
    """A server that accepts and never answers."""
    listener = socket.create_server(("127.0.0.1", 0))
    valkey.client.cache_clear()
    with override_settings(REDIS_URL=f"redis://127.0.0.1:{listener.getsockname()[1]}/0"):
        yield
    listener.close()
    valkey.client.cache_clear()


def test_of_many_acts_and_reads_only_the_first_waits(frozen: None) -> None:
    began = time.monotonic()
    events.publish("controls", "overview")
    waited = time.monotonic() - began
    began = time.monotonic()
    for _ in range(5):
        events.publish("audit")
        assert snapshots.workers() is None
        assert snapshots.live_count() is None
    assert waited < 2
    assert time.monotonic() - began < 0.25  # fifteen of a quarter of a second each
