"""The adaptive limit against a node whose capacity is known; the variants behind one Protocol."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validation.rpc import LIMITERS
from validation.rpc.gradient import GradientLimit
from validation.rpc.limiters import ConcurrencyLimit, make_limiter


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Node:
    """Answers `capacity` calls at a time in `rtt_s`; what is beyond queues."""

    def __init__(self, *, capacity: int, rtt_s: float = 0.01) -> None:
        self.capacity = capacity
        self.rtt_s = rtt_s

    def answer_s(self, in_flight: int) -> float:
        return self.rtt_s * max(1.0, in_flight / self.capacity)


def load(
    limiter: ConcurrencyLimit, node: Node, clock: Clock, *, seconds: float, demand: int = 10_000
) -> None:
    """Keeps as many calls with the node as the limit and the demand allow, in batches of four."""
    until = clock.now + seconds
    while clock.now < until:
        in_flight = max(1, min(limiter.limit, demand))
        rtt_s = node.answer_s(in_flight)
        for _ in range(max(1, in_flight // 4)):
            limiter.observe(rtt_s, in_flight, False, calls=4)
        clock.now += rtt_s


def gradient(clock: Clock, share: int = 64) -> GradientLimit:
    return GradientLimit(share, clock=clock, random=Random(1))


def test_the_limit_grows_to_what_a_node_takes_and_no_further() -> None:
    clock = Clock()
    limiter = gradient(clock)
    load(limiter, Node(capacity=120), clock, seconds=20)
    assert 120 <= limiter.limit <= 240 < limiter.limit_max + 1


def test_the_limit_shrinks_to_what_a_weaker_node_takes() -> None:
    clock = Clock()
    limiter = gradient(clock, share=256)
    # It has been asked gently before: its shortest time is known.
    load(limiter, Node(capacity=20), clock, seconds=2, demand=8)
    load(limiter, Node(capacity=20), clock, seconds=20)
    assert 10 <= limiter.limit <= 60


def test_a_limit_that_nobody_uses_does_not_grow() -> None:
    clock = Clock()
    limiter = gradient(clock)
    load(limiter, Node(capacity=1000), clock, seconds=25, demand=8)
    assert limiter.limit == 64


def test_a_drop_halves_once_for_all_that_was_out() -> None:
    clock = Clock()
    limiter = gradient(clock)
    for _ in range(8):
        limiter.observe(0.05, 64, True)
    assert limiter.limit == 32
    clock.now += 1
    limiter.observe(0.05, 32, True)
    assert limiter.limit == 16


def test_a_lasting_overload_does_not_become_the_measure() -> None:
    """The fault of limiters whose baseline creeps: overloaded for minutes, they call it normal."""
    clock = Clock()
    limiter = gradient(clock, share=64)
    node = Node(capacity=40)
    load(limiter, node, clock, seconds=600)
    assert 40 <= limiter.limit <= 75


def test_a_network_that_got_slower_is_measured_again() -> None:
    """The fault of limiters that keep the shortest time for ever: they starve on a longer way."""
    clock = Clock()
    limiter = gradient(clock)
    node = Node(capacity=100, rtt_s=0.01)
    load(limiter, node, clock, seconds=20)
    node.rtt_s = 0.05
    load(limiter, node, clock, seconds=10)
    starved = limiter.limit
    load(limiter, node, clock, seconds=180)
    assert starved < 60
    assert limiter.limit >= 90


def test_measuring_again_takes_a_moment_and_leaves_the_limit_as_it_was() -> None:
    clock = Clock()
    limiter = gradient(clock)
    node = Node(capacity=100)
    load(limiter, node, clock, seconds=20)
    seen = []
    for _ in range(4000):
        load(limiter, node, clock, seconds=0.01)
        seen.append(limiter.limit)
    low = [limit for limit in seen if limit < 50]
    assert 0 < len(low) < len(seen) * 0.05
    assert limiter.limit >= 100


def test_larger_batches_are_no_slower_node() -> None:
    clock = Clock()
    limiter = gradient(clock)
    for n in range(3000):
        calls = 1 if n % 2 else 100
        limiter.observe(0.002 * calls, limiter.limit, False, calls=calls)
        clock.now += 0.005
    assert limiter.limit > 64


@pytest.mark.parametrize("name", LIMITERS)
@given(
    share=st.integers(1, 2000),
    seen=st.lists(
        st.tuples(
            st.floats(0, 100), st.integers(1, 5000), st.booleans(), st.floats(0, 20),
            st.integers(1, 200),
        ),
        max_size=80,
    ),
)  # fmt: skip
def test_whatever_is_observed_the_limit_stays_within_its_bounds(
    name: str, share: int, seen: list[tuple[float, int, bool, float, int]]
) -> None:
    clock = Clock()
    limiter = make_limiter(name, share, clock)
    for rtt_s, in_flight, dropped, pause_s, calls in seen:
        clock.now += pause_s
        limiter.observe(rtt_s, in_flight, dropped, calls=calls)
        assert 1 <= limiter.limit <= limiter.limit_max
        if name == "adaptive":
            assert limiter.limit_max == share * 4


@pytest.mark.parametrize(("name", "expected"), [("fixed", 10), ("adaptive", 40)])
def test_a_new_share_moves_the_bound(name: str, expected: int) -> None:
    limiter = make_limiter(name, 100, Clock())
    limiter.resize(10)
    assert limiter.limit_max == expected
    assert limiter.limit == 10


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="none, fixed, adaptive, not 'vegas'"):
        make_limiter("vegas", 1, Clock())


def test_none_is_no_limit() -> None:
    limiter = make_limiter("none", 5, Clock())
    limiter.resize(1)
    assert limiter.limit >= 1_000_000
