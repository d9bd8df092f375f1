"""What is known at a moment, turned into the figures of the rules."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from monitoring import gauges
from monitoring.alerts import signals
from monitoring.alerts.catalogue import RULES
from monitoring.alerts.looked import Looked
from monitoring.alerts.observed import observed
from monitoring.alerts.rules import Observation
from monitoring.alerts.states import level_of
from monitoring.alerts.windows import Windows
from monitoring.collectors.replicas import ReplicaStanding
from monitoring.collectors.told import Told
from monitoring.history import figures as history
from monitoring.processes import ProcessSnapshot
from monitoring.samples import Sample
from monitoring.snapshots import MemoryReport, NodeReport, PoolReport, Transition, WorkerSnapshot
from tests.alerts.looking import NOON
from tests.controls.conftest import report, worker

NODE = "10.0.0.7:8545#ab"


def looked(**given: Any) -> Looked:
    made: dict[str, Any] = {
        "now": NOON, "postgres": Told(), "cache": Told(), "broker": Told(), "queue": Told(),
        "pgbouncer": None, "workers": (), "processes": (),
    }  # fmt: skip
    return Looked(**(made | given))


def figures(rule: str, **given: Any) -> dict[str, float | None] | None:
    """By subject; None: not known."""
    found = observed(looked(**given), within_s=1)[rule]
    return None if found is None else {one.subject: one.value for one in found}


def the_one(rule: str, **given: Any) -> Observation:
    (found,) = observed(looked(**given), within_s=1)[rule] or ()
    return found


def web(incarnation: str = "host:1:1", **gauges: float) -> ProcessSnapshot:
    def sample(name: str, value: float) -> Sample:
        name, _, state = name.partition("__")
        labels = {"pool": "db.default"} | ({"state": state} if state else {})
        return Sample(f"switchyard_pool_{name}", labels, value)

    told = tuple(sample(name, value) for name, value in gauges.items())
    return ProcessSnapshot(incarnation=incarnation, kind="web", sequence=1, gauges=told)


def test_a_pool_is_judged_where_it_is_fullest() -> None:
    """One of four that is exhausted fails its requests, whatever the others could lend."""
    idle = [
        web(f"host:{pid}:1", connections__used=1, connections_max=8, waiting=0) for pid in (2, 3, 4)
    ]
    full = web(connections__used=8, connections__idle=0, connections_max=8, waiting=3)
    found = the_one("db.pool_used", processes=(*idle, full))
    assert (found.subject, found.value) == ("db.default", 1.0)
    assert found.words == "8 of 8 connections of db.default are lent in web host:1."
    found = the_one("db.pool_waits", processes=(full, *idle))
    assert (found.subject, found.value) == ("db.default", 3.0)


def test_a_pool_that_no_process_tells_of_is_not_known() -> None:
    for rule in ("db.pool_used", "db.pool_waits"):
        assert figures(rule, processes=None) is None
        assert figures(rule, processes=()) is None
    half = web(connections_max=8)
    assert figures("db.pool_used", processes=(half,)) == {"db.default": None}
    assert figures("db.pool_waits", processes=(half,)) == {"db.default": None}
    known = web("host:2:1", connections__used=4, connections_max=8)
    assert figures("db.pool_used", processes=(half, known)) == {"db.default": 0.5}


def node(head_age_s: float | None, **given: Any) -> NodeReport:
    return NodeReport(label=NODE, in_service=True, head_age_s=head_age_s, **given)


def pool(**given: Any) -> PoolReport:
    fields: dict[str, Any] = {
        "pool": NODE, "used": 1, "idle": 0, "max": 8, "in_flight": 0, "waiting": 0, "limit": 8,
        "limit_max": 8, "limiter": "fixed",
    }  # fmt: skip
    return PoolReport(**(fields | given))


def down(*workers: WorkerSnapshot) -> float | None:
    found = figures("node.down", workers=workers)
    assert found is not None
    return found[NODE]


def test_a_node_is_down_once_no_worker_has_its_head() -> None:
    assert down(worker(1, nodes=(node(1.0),)), worker(2, nodes=(node(60.0),))) == 1.0
    assert down(worker(1, nodes=(node(9.0),)), worker(2, nodes=(node(60.0),))) == 0.0
    assert down(worker(nodes=(node(None, failures={"connect": 3}),))) == 0.0


def test_a_node_that_was_not_asked_yet_or_is_at_work_to_the_brim_is_not_known_to_be_down() -> None:
    assert down(worker(nodes=(node(None),))) is None
    busy = worker(nodes=(node(60.0),), pools=(pool(in_flight=8),))
    assert down(busy) is None
    blocked = report(f"node:{NODE.replace('#', '~')}:lookup", "open")
    assert down(msgspec.structs.replace(busy, breakers=(blocked,))) == 0.0


def test_nodes_that_are_only_watched_and_workers_that_are_silent_say_nothing() -> None:
    watched = NodeReport(label=NODE, in_service=False, head_age_s=60.0)
    assert figures("node.down", workers=(worker(nodes=(watched,)),)) == {}
    assert figures("node.down", workers=(worker(nodes=(node(60.0),), age_s=60.0),)) is None
    assert figures("node.down", workers=None) is None


def test_memory_is_of_each_workers_own_limit() -> None:
    memory = MemoryReport(guard="on", level="half", used_bytes=90, limit_bytes=100, refuses=True)
    found = the_one("worker.memory", workers=(worker(memory=memory),))
    assert (found.subject, found.value) == ("host:1", 0.9)
    assert "begins nothing new" in found.words
    unknown = msgspec.structs.replace(memory, limit_bytes=None)
    silent = worker(3, memory=memory, age_s=40.0)
    for one in (worker(memory=unknown), worker(), silent):
        assert figures("worker.memory", workers=(one,)) == {one.id: None}
    assert figures("worker.memory", workers=()) == {}


def test_silent_workers_are_counted_and_named() -> None:
    found = the_one("workers.silent", workers=(worker(), worker(2, age_s=40.0)))
    assert (found.value, found.words) == (1, "Silent: host:2 for 40 s.")
    assert figures("workers.none", workers=(worker(2, age_s=40.0),)) == {"": 0}
    assert figures("workers.silent", workers=None) is None


def change(seconds_ago: float, after: str) -> Transition:
    return Transition(at=NOON.timestamp() - seconds_ago, before="", after=after, cause="")


def test_a_breaker_is_open_since_it_was_last_closed() -> None:
    flips = (change(90, "open"), change(80, "closed"), change(60, "open"), change(5, "half_open"))
    found = the_one(
        "breaker.open", workers=(worker(breakers=(report("l2", "open", transitions=flips),)),)
    )
    assert (found.subject, found.value) == ("l2", 60.0)
    forced = report("l2", "forced_open", transitions=flips)
    assert figures("breaker.open", workers=(worker(breakers=(forced,)),)) == {"l2": 0.0}


def grown(**by: Mapping[int, float]) -> Windows:
    every = dict.fromkeys((1, 5, 10, 30, 60, 360), 0.0)
    return Windows(grown={name.replace("__", "."): every | dict(m) for name, m in by.items()})


def same(value: float) -> dict[int, float]:
    return dict.fromkeys((1, 5, 10, 30, 60, 360), value)


def test_a_rate_that_is_over_by_now_is_none() -> None:
    going_on = grown(rpc__all=same(1000), rpc__failed=same(120))
    found = the_one("rpc.errors", windows=going_on)
    assert (found.value, found.weight) == (0.12, 1000)
    over = grown(rpc__all=same(1000), rpc__failed=same(120) | {1: 0.0})
    assert the_one("rpc.errors", windows=over).value == 0.0


def test_a_budget_burns_where_both_windows_say_so() -> None:
    whole = same(10_000)
    both = grown(http__all=whole, http__failed=same(200))
    found = the_one("http.burn_fast", windows=both)
    assert found.value == pytest.approx(20.0)
    assert found.weight == 10_000
    over = grown(http__all=whole, http__failed=same(200) | {5: 0.0})
    assert the_one("http.burn_fast", windows=over).value == 0.0
    assert the_one("http.burn_slow", windows=over).value == pytest.approx(20.0)


def test_of_nothing_there_is_no_rate_and_what_is_not_kept_is_not_known() -> None:
    nothing = grown(
        http__all={}, http__failed={}, http__quick={}, cache__lookups={}, cache__hits={}
    )
    for rule in ("http.errors", "http.slow", "http.burn_fast", "cache.hit_rate"):
        found = the_one(rule, windows=nothing)
        assert (found.value, found.weight) == (None, 0)
        assert figures(rule) is None


def test_where_the_last_minute_had_no_call_its_share_is_not_known() -> None:
    quiet = grown(rpc__all=same(1000) | {1: 0.0}, rpc__failed=same(120) | {1: 0.0})
    assert the_one("rpc.errors", windows=quiet).value is None
    clean = grown(rpc__all=same(1000) | {1: 0.0}, rpc__failed=same(0))
    assert the_one("rpc.errors", windows=clean).value == 0.0
    quiet = grown(http__all=same(1000) | {5: 0.0}, http__failed=same(120) | {5: 0.0})
    assert the_one("http.burn_fast", windows=quiet).value is None


def test_slow_requests_are_those_that_were_not_quick() -> None:
    found = the_one("http.slow", windows=grown(http__all=same(1000), http__quick=same(900)))
    assert found.value == pytest.approx(0.1)


def test_a_p99_is_judged_by_what_was_slower_than_its_bound() -> None:
    """One of twenty within 100 ms, and one of fifty above 150 ms."""
    windows = grown(http__all=same(2000), http__quick=same(1910))
    windows = replace(windows, grown={**windows.grown, "http.le.0.15": same(1960)})
    found = the_one("http.p99", windows=windows)
    assert found.value == pytest.approx(0.02)
    assert found.weight == 2000
    assert found.words == "2.0% of 2000 requests took longer than 150 ms in 5 minutes."
    assert level_of(RULES["http.p99"], found) == "warning"
    assert level_of(RULES["http.slow"], the_one("http.slow", windows=windows)) == "calm"
    few = replace(found, weight=999.0)
    assert level_of(RULES["http.p99"], few) == "calm"


def test_look_ups_that_failed_are_of_those_that_l2_was_asked_for() -> None:
    windows = grown(cache__l2_lookups=same(1000), cache__l2_failed=same(20))
    found = the_one("cache.errors", windows=windows)
    assert (found.value, found.weight) == (0.02, 1000)
    assert found.words == "2.0% of 1000 requests to L2 failed in 5 minutes."
    over = grown(cache__l2_lookups=same(1000), cache__l2_failed=same(20) | {1: 0.0})
    assert the_one("cache.errors", windows=over).value == 0.0
    unused = grown(cache__l2_lookups={}, cache__l2_failed={})
    assert the_one("cache.errors", windows=unused).value is None


def test_sockets_to_a_node_are_those_of_all_workers() -> None:
    full = worker(1, nodes=(node(1.0),), pools=(pool(used=8, waiting=40),))
    idle = worker(2, nodes=(node(1.0),), pools=(pool(used=0),))
    found = the_one("rpc.sockets_used", workers=(full, idle))
    assert (found.subject, found.value) == (NODE, 0.5)
    assert found.words == f"8 of 16 sockets to {NODE} are in use, and 40 calls wait."
    new = worker(3, nodes=(node(None),))
    assert figures("rpc.sockets_used", workers=(new,)) == {NODE: None}
    silent = msgspec.structs.replace(full, age_s=60.0)
    for nobody in (None, (), (silent,)):
        assert figures("rpc.sockets_used", workers=nobody) is None


def process(kind: str, pid: int = 1, **figures: float) -> ProcessSnapshot:
    told = (
        Sample(f"switchyard_process_{name}", {"process": kind}, value)
        for name, value in figures.items()
    )
    return ProcessSnapshot(incarnation=f"host:{pid}:1", kind=kind, sequence=1, gauges=tuple(told))


@pytest.mark.parametrize(
    ("rule", "gauge", "words"),
    [
        ("process.loop_lag", "event_loop_lag_seconds", "A timer came late by"),
        ("process.gc_pause", "gc_pause_worst_seconds", "The longest stop was"),
    ],
)
def test_what_holds_up_a_process_is_told_of_the_worst_of_its_kind(
    rule: str, gauge: str, words: str
) -> None:
    late = process("worker", 2, **{gauge: 0.3})
    among = (process("worker", 1, **{gauge: 0.01}), late, process("worker", 3))
    found = the_one(rule, processes=among)
    assert (found.subject, found.value) == ("worker", 0.3)
    assert found.words == f"{words} 300 ms in worker host:2."
    assert level_of(RULES[rule], found) == "warning"
    web = process("web", 4, **{gauge: 0.02})
    beat = process("beat", 5)
    told = {"worker": 0.3, "web": 0.02, "beat": None}
    assert figures(rule, processes=(*among, web, beat)) == told
    # One that hangs tells nothing, and may be the worst.
    hung = msgspec.structs.replace(late, age_s=20.0)
    assert figures(rule, processes=(process("worker", 1, **{gauge: 0.01}), hung)) == {
        "worker": None
    }
    assert figures(rule, processes=(*among, hung)) == {"worker": 0.3}
    assert figures(rule, processes=()) is None
    assert figures(rule, processes=None) is None


def test_processors_are_those_of_web_processes_and_workers_may_keep_theirs_busy() -> None:
    webs = (process("web", 1, cpu_ratio=0.9), process("web", 2, cpu_ratio=0.7))
    worker_at_work = process("worker", 3, cpu_ratio=1.0)
    found = the_one("process.cpu", processes=(*webs, worker_at_work))
    assert found.subject == "web"
    assert found.value == pytest.approx(0.8)
    assert found.words == "2 web processes keep 80% of a processor busy in the mean."
    begun = process("web", 4)
    assert the_one("process.cpu", processes=(*webs, begun)).value == pytest.approx(0.8)
    assert figures("process.cpu", processes=(begun,)) == {"web": None}
    assert figures("process.cpu", processes=(worker_at_work,)) == {}
    assert figures("process.cpu", processes=None) is None


def test_servers_that_failed_their_last_look_are_down_and_old_samples_tell_nothing() -> None:
    assert figures("broker.down", broker=Told(failure="It cannot be reached.")) == {"": 0.0}
    assert figures("broker.down") == {"": None}
    assert figures("cache.down", cache=Told(reachable=False)) == {"": 0.0}
    assert figures("cache.down") == {"": 1.0}
    assert figures("pgbouncer.down") == {}
    assert figures("pgbouncer.down", pgbouncer=Told(failure="No.")) == {"": 0.0}
    assert figures("postgres.connections_used") is None
    assert figures("queue.oldest") is None


def standing(**given: Any) -> ReplicaStanding:
    fields: dict[str, Any] = {
        "label": "replica_1", "weight": 60, "in_use": True, "why": "", "reachable": True,
        "lag_s": 3.0, "lag_bytes": 10, "round_trip_ms": 1.0, "seen_s": 1.0,
    }  # fmt: skip
    return ReplicaStanding(**(fields | given))


def test_a_replica_is_behind_or_away_or_not_known() -> None:
    assert figures("replica.lag", replicas=(standing(),)) == {"replica_1": 3.0}
    gone = standing(reachable=False, lag_s=None)
    assert figures("replica.down", replicas=(gone,)) == {"replica_1": 0.0}
    assert figures("replica.lag", replicas=(gone,)) == {"replica_1": None}
    assert figures("replica.down", replicas=(standing(seen_s=45.0),)) == {"replica_1": None}
    promoted = standing(in_use=False, ill="It follows nobody: it was promoted, or never did.")
    assert figures("replica.down", replicas=(promoted,)) == {"replica_1": 0.0}
    assert figures("replica.lag") == {}
    for rule in ("replica.lag", "replica.down"):
        assert figures(rule, replicas=None) is None


def test_every_rule_is_asked_for_by_somebody() -> None:
    """Those of the console register when a process begins to look."""
    ours = set(observed(looked(), within_s=1))
    assert set(RULES) - ours <= {
        *("audit.broken", "audit.unchecked", "flags.stale", "capacity.exceeded"),
        *("rollout.rolled_back", "rollout.held", "rollout.stopped", "rollout.unwatched"),
    }


def test_rules_follow_from_rules_that_there_are_and_no_two_from_each_other() -> None:
    for rule in RULES.values():
        assert set(rule.mutes) <= set(RULES)
        assert not any(rule.key in RULES[muted].mutes for muted in rule.mutes)
        assert rule.said
        assert rule.why
        assert (rule.warning, rule.critical) != (None, None)


def test_faults_fire_within_twenty_seconds() -> None:
    """A figure of at most 8 s of age, a look every 5 s, and the hold."""
    for key in ("db.pool_used", "replica.lag", "capacity.exceeded", "cache.down", "node.down"):
        assert RULES[key].hold_s <= 10
    for key in ("worker.memory", "postgres.down"):
        assert RULES[key].hold_s <= 10


def test_a_signal_that_is_ill_or_late_is_not_known_and_takes_no_other_with_it() -> None:
    def ill() -> list[Observation]:
        raise ZeroDivisionError

    now = iter((0.0, 0.0, 5.0, 5.0))
    signals.register("audit.broken", ill)
    signals.register("flags.stale", lambda: [Observation(subject="", value=2.0)])
    signals.register("capacity.exceeded", lambda: [Observation(subject="x", value=1.0)])
    try:
        found = signals.asked(within_s=1)
        assert found["audit.broken"] is None
        assert [one.value for one in found["flags.stale"] or ()] == [2.0]
        late = signals.asked(within_s=1, clock=lambda: next(now))
        assert late["capacity.exceeded"] is None
    finally:
        for key in ("audit.broken", "flags.stale", "capacity.exceeded"):
            signals.unregister(key)


def test_those_that_there_was_no_time_for_are_asked_first_at_the_next_turn() -> None:
    second = 0.0

    def slow() -> list[Observation]:
        nonlocal second
        second += 2.0
        return [Observation(subject="", value=1.0)]

    keys = ("audit.broken", "audit.unchecked", "flags.stale", "capacity.exceeded")
    for key in keys:
        signals.register(key, slow)
    try:
        known = [
            {
                key
                for key, seen in signals.asked(within_s=3, clock=lambda: second).items()
                if seen is not None
            }
            for _ in range(3)
        ]
    finally:
        for key in keys:
            signals.unregister(key)
    assert known == [{*keys[:2]}, {*keys[2:]}, {*keys[:2]}]


def test_a_signal_for_no_rule_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no rule 'no\.rule'"):
        signals.register("no.rule", list)


def test_history_that_was_never_kept_is_not_known_and_old_is() -> None:
    assert figures("history.silent") is None
    assert figures("history.silent", windows=Windows(silent_s=90.0)) == {"": 90.0}
    assert timedelta(seconds=90).total_seconds() >= (RULES["history.silent"].warning or 0)


def test_how_far_a_node_is_behind_is_the_same_for_alerts_history_and_prometheus() -> None:
    """By the worker that knows most: another has not asked the node again yet."""
    workers = [worker(1, nodes=(node(1.0, lag=2),)), worker(2, nodes=(node(5.0, lag=17),))]
    assert figures("node.lag", workers=tuple(workers)) == {NODE: 2}
    told = {s.name: s.value for s in gauges.of_workers(workers)}
    assert told["switchyard_node_lag_blocks"] == 2
    kept = {figure.name: figure.value for figure in history.of_workers(workers)}
    assert kept["nodes.lag_blocks"] == 2
