"""The fleet's view: counted by worker, the worst first, and never zero for what nobody said."""

from collections.abc import Callable
from typing import Any

import pytest

from console import controls, fleetview
from console.fleetview import FleetBreaker
from monitoring import valkey
from monitoring.snapshots import CacheReport, PoolReport, Transition
from tests.controls.conftest import L2, WHY, actor, report, silent_for, worker

pytestmark = pytest.mark.django_db
type Publish = Callable[..., None]

LOOKUP = "node:127.0.0.1:9:lookup"
BLOCK = "node:127.0.0.1:9:block"


def l2() -> FleetBreaker:
    found = fleetview.breaker(L2)
    assert found is not None
    return found


def pool(name: str = "10.0.0.7:8545", **changed: Any) -> PoolReport:
    fields: dict[str, Any] = {
        "pool": name, "used": 1, "idle": 1, "max": 4, "in_flight": 2, "waiting": 0, "limit": 8,
        "limit_max": 8, "limiter": "fixed",
    }  # fmt: skip
    return PoolReport(**(fields | changed))


def cache(**changed: Any) -> CacheReport:
    fields: dict[str, Any] = {
        "policy": "s3fifo", "entries": 5, "bytes": 50, "max_entries": 100, "max_bytes": 1_000,
    }  # fmt: skip
    return CacheReport(**(fields | changed))


def test_a_state_is_told_by_how_many_workers_and_never_averaged(publish: Publish) -> None:
    states = ["open", "closed", "open", "half_open", "closed", "closed"]
    publish(*(worker(n, breakers=(report(state=s),)) for n, s in enumerate(states)))
    found = l2()
    assert found.spread == "open on 2 of 6 workers"
    assert found.by_state == {"open": 2, "closed": 3, "half_open": 1}
    assert [row.report.state for row in found.rows[:3]] == ["open", "open", "half_open"]


def test_a_worker_without_the_breaker_is_counted_and_in_no_state(publish: Publish) -> None:
    publish(worker(1, breakers=(report(),)), worker(2))
    found = l2()
    assert (found.spread, found.by_state) == ("closed on 1 of 2 workers", {"closed": 1})


def test_rates_are_shares_of_all_calls(publish: Publish) -> None:
    publish(
        worker(
            1, breakers=(report(calls=90, slow=9, p95_ms=5.0, failure_rate=0.0, slow_rate=0.1),)
        ),
        worker(2, breakers=(report(calls=10, failures=10, p95_ms=80.0, failure_rate=1.0),)),
    )
    found = l2()
    assert (found.calls, found.failure_rate, found.slow_rate) == (100, 0.1, 0.09)
    assert found.p95_ms == 80.0


def test_too_few_calls_on_every_worker_are_no_rate(publish: Publish) -> None:
    publish(*(worker(n, breakers=(report(calls=1, failures=1, slow=1),)) for n in (1, 2)))
    assert (l2().failure_rate, l2().slow_rate, l2().calls, l2().failures) == (None, None, 2, 2)


def test_what_nobody_up_reports_is_not_zero(publish: Publish) -> None:
    publish(worker(1, breakers=(report(calls=5),), pools=(pool(),), cache=cache()))
    silent_for(1, 20)
    found = l2()
    assert {found.calls, found.failures, found.slow, found.rejected, found.trips} == {None}
    [held] = fleetview.pools()
    assert {held.used, held.in_flight, held.waiting, held.limit, held.calls} == {None}
    kept = fleetview.caches()
    assert {kept.entries, kept.bytes, kept.evicted, kept.l2_reachable, kept.total} == {None}
    assert kept.compression is None


def test_one_breaker_is_the_same_alone_and_among_all(publish: Publish) -> None:
    told = tuple(report(name) for name in ("a", L2, LOOKUP))
    publish(worker(1, breakers=told, acknowledged=1), worker(2, breakers=told[:2]))
    controls.override_breaker(actor(), L2, "disabled", reason=WHY)
    fleet = fleetview.look()
    for found in fleetview.breakers(fleet):
        alone = fleetview.breaker(found.name, fleet)
        assert alone is not None
        assert (alone.rows, alone.by_state, alone.acknowledged, alone.desired.revision) == (
            found.rows,
            found.by_state,
            found.acknowledged,
            found.desired.revision,
        )


def test_no_call_is_no_rate(publish: Publish) -> None:
    publish(worker(1, breakers=(report(),)))
    assert (l2().failure_rate, l2().slow_rate, l2().p95_ms) == (None, None, None)


def test_what_is_configured_is_listed_before_anyone_used_it() -> None:
    found = fleetview.breakers()
    assert {breaker.name for breaker in found} == {L2, LOOKUP, BLOCK}
    assert {(b.state, b.spread, b.age_s, b.workers) for b in found} == {(None, "", None, 0)}


def test_the_worst_comes_first_and_no_data_last(publish: Publish) -> None:
    told = (report("a", "closed"), report("b", "forced_open"), report("c", "open"))
    publish(worker(1, breakers=(*told, report("d", "a_state_to_come"))))
    names = [breaker.name for breaker in fleetview.breakers()]
    assert names[:4] == ["d", "c", "b", "a"]
    assert set(names[4:]) == {L2, LOOKUP, BLOCK}


def test_the_word_of_a_silent_worker_counts_in_no_figure(publish: Publish) -> None:
    publish(worker(1, breakers=(report(state="open", calls=5),)))
    publish(worker(2, breakers=(report(calls=7),)))
    silent_for(1, 20)
    found = l2()
    assert (found.state, found.calls, found.spread) == ("closed", 7, "closed on 1 of 2 workers")
    assert [(row.worker.id, row.is_current) for row in found.rows] == [
        ("host:2", True),
        ("host:1", False),
    ]


def test_who_may_be_at_work_has_to_acknowledge(publish: Publish) -> None:
    revision = controls.reset_breaker(actor(), L2, reason=WHY).revision
    publish(*(worker(n, acknowledged=known) for n, known in ((1, revision), (2, 0), (3, None))))
    publish(worker(4, acknowledged=revision), worker(5, acknowledged=0), worker(6, acknowledged=0))
    silent_for(4, 20)
    silent_for(5, 20)
    silent_for(6, 60)
    found = l2()
    assert (found.acknowledged, found.workers, found.is_acknowledged) == (2, 5, False)
    assert fleetview.look().stale == 2


def test_nobody_at_work_is_no_acknowledgement() -> None:
    controls.reset_breaker(actor(), L2, reason=WHY)
    assert not l2().is_acknowledged


def test_desired_and_computed_stand_side_by_side(publish: Publish) -> None:
    controls.override_breaker(actor(), L2, "forced_open", reason=WHY, confirm=L2)
    publish(worker(1, breakers=(report(state="forced_open", computed="closed"),), acknowledged=1))
    found = l2()
    assert (found.desired.mode, found.state, found.computed) == (
        "forced_open",
        "forced_open",
        "closed",
    )
    assert found.is_acknowledged
    assert found.spread == "forced open on 1 of 1 worker"


def test_transitions_of_all_workers_newest_first(publish: Publish) -> None:
    for n, at in ((1, 10.0), (2, 20.0)):
        changes = tuple(
            Transition(at=at + k, before="closed", after="open", cause="failures") for k in (0, 1)
        )
        publish(worker(n, breakers=(report(transitions=changes),)))
    told = [(who, change.at) for who, change in l2().transitions]
    assert told == [("host:2", 21.0), ("host:2", 20.0), ("host:1", 11.0), ("host:1", 10.0)]


def test_without_the_cache_server_what_is_desired_still_shows(no_valkey: None) -> None:
    controls.override_breaker(actor(), L2, "forced_open", reason=WHY, confirm=L2)
    fleet = fleetview.look()
    assert not fleet.reachable
    found = fleetview.breaker(L2, fleet)
    assert found is not None
    assert (found.desired.mode, found.state, found.workers) == ("forced_open", None, 0)
    assert fleetview.pools(fleet) == []
    assert fleetview.caches(fleet).workers == 0


def test_there_is_no_breaker_that_nobody_knows() -> None:
    assert fleetview.breaker("l3") is None


def test_pools_are_summed_and_times_are_the_slowest_workers(publish: Publish) -> None:
    busy = pool(waiting=3, wait_p95_ms=40.0, failures={"timeout": 2}, rate_limit=100.0)
    publish(worker(1, pools=(busy, pool("b:1"))))
    publish(worker(2, pools=(pool(wait_p95_ms=5.0, failures={"timeout": 1}, rate_limit=100.0),)))
    first, second = fleetview.pools()
    assert (first.pool, first.workers, second.pool) == ("10.0.0.7:8545", 2, "b:1")
    assert (first.max, first.in_flight, first.waiting, first.limit) == (8, 4, 3, 16)
    assert (first.wait_p95_ms, first.wait_p50_ms) == (40.0, None)
    assert (first.failures, first.rate_limit) == ({"timeout": 3}, 100.0)
    assert second.rate_limit is None


def test_a_pool_that_only_the_gone_reported_has_no_data(publish: Publish) -> None:
    publish(worker(1, pools=(pool(),)))
    silent_for(1, 60)
    [found] = fleetview.pools()
    assert (found.workers, found.age_s, len(found.rows)) == (0, None, 1)


def test_hits_are_counted_by_kind_and_level(publish: Publish) -> None:
    told = {"l1": 6, "l2": 2, "stale": 1, "negative": 1, "miss": 10}
    publish(worker(1, cache=cache(kinds={"tx": told, "head": {"miss": 4}}, l2_reachable=True)))
    publish(worker(2, cache=cache(kinds={"tx": told}, l2_reachable=False)), worker(3))
    found = fleetview.caches()
    assert (found.workers, found.heard, found.entries, found.max_entries) == (2, 3, 10, 200)
    tx, head = found.kinds
    assert (tx.kind, tx.total, tx.hit_rate, tx.share("l1")) == ("tx", 40, 0.5, 0.3)
    assert found.total is not None
    assert (head.hit_rate, found.total.total) == (0.0, 44)
    assert (found.l2_reachable, found.l2_unreachable, found.l2_not_asked) == (1, 1, 0)


def test_nothing_looked_up_is_no_hit_rate(publish: Publish) -> None:
    publish(worker(1, cache=cache()))
    found = fleetview.caches()
    assert found.total is not None
    assert (found.total.hit_rate, found.total.share("l1"), found.compression) == (None, None, None)
    assert found.curve == ()


def test_curves_are_weighted_by_the_look_ups_they_rest_on(publish: Publish) -> None:
    publish(worker(1, cache=cache(curve=((10, 0.2), (100, 0.6)), sampled=300)))
    publish(worker(2, cache=cache(curve=((10, 0.6), (50, 0.8)), sampled=100)))
    curve = dict(fleetview.caches().curve)
    assert curve == {10: pytest.approx(0.3), 50: pytest.approx(0.35), 100: pytest.approx(0.65)}


def test_one_moment_is_asked_for_once(publish: Publish) -> None:
    publish(worker(1, breakers=(report(),), pools=(pool(),), cache=cache()))
    fleet = fleetview.look()
    valkey.client().flushdb()
    assert l2().workers == 0
    found = fleetview.breaker(L2, fleet)
    assert found is not None
    assert found.workers == 1
    assert fleetview.pools(fleet)[0].workers == fleetview.caches(fleet).workers == 1
