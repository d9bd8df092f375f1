"""Each scenario passes on what is shipped, and would not on what is worse."""

import itertools

import pytest
from pytest_django import Settings

from console.embedded.cluster import Cluster
from console.loadtests import breaker_recovery, cache_stampede, cache_thrash, rpc_concurrency
from console.loadtests.criteria import CannotRun, Outcome, at_least, at_most, exactly
from console.loadtests.node import Node


def _failed(outcome: Outcome) -> list[str]:
    return [criterion.name for criterion in outcome.criteria if not criterion.holds]


def test_l1_stays_within_its_bounds() -> None:
    outcome = cache_thrash.run()
    assert _failed(outcome) == []
    assert outcome.figures["FIFO, which the sources use: share that stayed"] == 0.0


def test_memory_that_grows_or_is_not_known_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_thrash, "KEYS", 1_000)
    growing = itertools.count(0, 64 << 20)
    grown = cache_thrash.run(lambda: next(growing))
    assert len([name for name in _failed(grown) if "memory grown" in name]) == 5
    unknown = cache_thrash.run(lambda: None)
    assert len([name for name in _failed(unknown) if "memory grown" in name]) == 5


def test_a_breaker_opens_tries_again_and_closes() -> None:
    assert _failed(breaker_recovery.run()) == []


def test_a_node_that_is_well_again_may_be_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a busy machine: slower than those are patient who are refused."""
    set_node = Node.set

    def slowly(node: Node, **wanted: object) -> None:
        set_node(node, **wanted, latency_ms=0 if wanted["error_rate"] else 300)

    monkeypatch.setattr(Node, "set", slowly)
    assert _failed(breaker_recovery.run()) == []


def test_the_node_never_sees_more_calls_than_it_may() -> None:
    assert _failed(rpc_concurrency.run()) == []


def test_more_calls_than_are_allowed_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc_concurrency, "ITEMS", 200)
    seen = rpc_concurrency.run().criteria[0]
    assert seen.holds
    assert seen.measured
    less = at_most(seen.name, seen.measured, seen.measured - 1, source="ours")
    assert not less.holds


def test_a_crowd_in_two_processes_asks_the_node_once(services: Cluster) -> None:
    assert services.cache.running
    outcome = cache_stampede.run(processes=2, callers=300)
    assert _failed(outcome) == []
    assert outcome.criteria[1].measured == 600


def test_a_crowd_waits_for_a_node_that_takes_longer_than_a_mark_lasts(
    services: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert services.cache.running
    monkeypatch.setattr(cache_stampede, "_LATENCY_MS", 3_000)
    assert _failed(cache_stampede.run(processes=2, callers=10)) == []


def test_without_a_cache_server_there_is_no_stampede_to_measure(
    settings: Settings,
) -> None:
    settings.REDIS_URL = ""
    with pytest.raises(CannotRun, match="set REDIS_URL"):
        cache_stampede.run(processes=1, callers=1)


def test_no_criteria_are_no_pass_and_no_figure_holds_nothing() -> None:
    assert not Outcome(criteria=()).passed
    for judged in (at_most, at_least, exactly):
        assert not judged("unknown", None, 1.0, source="ours").holds
        assert judged("known", 1.0, 1.0, source="ours").holds
    assert not at_most("over", 1.1, 1.0, source="ours").holds
    assert not at_least("under", 0.9, 1.0, source="ours").holds
    assert not exactly("off", 0.0, 1.0, source="ours").holds
