"""What a breaker tells Prometheus adds up to what it saw, whatever happened in between."""

import itertools
from dataclasses import asdict

import msgspec
import pytest

from monitoring.instruments import BREAKER_CALLS, BREAKER_TRANSITIONS, REGISTRY
from monitoring.snapshots import BreakerReport
from tests.resilience.fakes import CallerFault, Clock, NodeFault
from validation.resilience import Breaker, BreakerConfig, Breakers, Override, Rejected

_turn = itertools.count()


@pytest.fixture
def name() -> str:
    """Metrics last as long as the process: each test counts under a name of its own."""
    return f"node:metrics{next(_turn)}:lookup"


def counted(name: str) -> dict[str, float]:
    found = {}
    for outcome in ("success", "failure", "slow", "ignored", "rejected"):
        labels = {"breaker": name, "outcome": outcome}
        found[outcome] = REGISTRY.get_sample_value("switchyard_breaker_calls_total", labels) or 0
    return found


@pytest.mark.parametrize("window", ["time", "count", "list"])
def test_every_outcome_is_counted_once(name: str, window: str) -> None:
    clock = Clock()
    config = BreakerConfig(
        window=window, consecutive_failures=3, slow_s=1, half_open_calls=1, jitter=0
    )
    breaker = Breaker(name, config, clock=clock)
    expected = dict.fromkeys(counted(name), 0.0)

    def put(outcome: str, times: int = 1) -> None:
        expected[outcome] += times
        for _ in range(times):
            if outcome == "rejected":
                with pytest.raises(Rejected):
                    breaker.admit()
                continue
            error = {"failure": NodeFault(), "ignored": CallerFault()}.get(outcome)
            took_s = 2.0 if outcome == "slow" else 0.01
            breaker.settle(breaker.admit(), error=error, duration_s=took_s)

    for _ in range(3):
        put("success", 700)
        clock.advance(3)
        put("ignored")
        put("slow")
        put("success", 5)
        breaker.report()
        put("failure", 3)
        put("rejected", 4)
        breaker.tally()
        put("rejected", 2)
        clock.advance(60)
        put("success")  # closes it: another window
        breaker.override(Override(settings={"window_s": 100 + clock.now % 50}))  # another again
        put("success", 10)
        breaker.override(Override(mode="forced_open"))
        put("rejected", 5)
        breaker.override(None)
        put("success", 3)
    breaker.destroy()
    assert counted(name) == expected
    breaker.destroy()
    assert counted(name) == expected


def test_a_call_that_comes_back_after_a_reset_is_counted_too(name: str) -> None:
    breaker = Breaker(name, clock=Clock())
    breaker.settle(breaker.admit(), duration_s=0.1)
    permit = breaker.admit()
    breaker.reset()
    breaker.settle(permit, duration_s=0.1)
    assert breaker.report().calls == 0
    assert counted(name)["success"] == 2


def test_transitions_are_counted_by_where_from_and_to(name: str) -> None:
    clock = Clock()
    breaker = Breaker(name, BreakerConfig(consecutive_failures=1, jitter=0), clock=clock)
    breaker.settle(breaker.admit(), error=NodeFault(), duration_s=0.1)
    clock.advance(5)
    breaker.report()
    for before, after in (("closed", "open"), ("open", "half_open")):
        labels = {"breaker": name, "from": before, "to": after}
        assert REGISTRY.get_sample_value("switchyard_breaker_transitions_total", labels) == 1


def test_breakers_that_are_not_named_are_counted_together() -> None:
    """Runs may name nodes of their own, ever new ones; a label is never forgotten."""
    known = f"node:configured{next(_turn)}:lookup"
    breakers = Breakers({"": BreakerConfig(consecutive_failures=1)}, named={known, "l2"})
    before = counted("other")["failure"]
    names = [known, *(f"node:own{n}.example:8545:lookup" for n in range(200))]
    for name in names:
        breaker = breakers.get(name)
        breaker.settle(breaker.admit(), duration_s=0.1)
        breaker.settle(breaker.admit(), error=NodeFault(), duration_s=0.1)
        breaker.report()
        breakers.discard(name)
    labels = {
        sample.labels["breaker"]
        for counter in (BREAKER_CALLS, BREAKER_TRANSITIONS)
        for metric in counter.collect()
        for sample in metric.samples
    }
    assert known in labels
    assert not [label for label in labels if label.startswith("node:own")]
    assert counted("other")["failure"] - before == 200


def test_a_report_tells_since_when_there_is_a_breaker() -> None:
    now = [1_000.0]
    breakers = Breakers(wall=lambda: now[0])
    assert breakers.get("l2").report().made_at == 1_000.0
    now[0] = 2_000.0
    assert breakers.get("l2").report().made_at == 1_000.0
    breakers.discard("l2")
    assert breakers.get("l2").report().made_at == 2_000.0


def test_a_report_is_what_snapshots_carry(name: str) -> None:
    breaker = Breaker(name, BreakerConfig(consecutive_failures=1))
    breaker.settle(breaker.admit(), error=NodeFault(), duration_s=0.1)
    report = breaker.report()
    carried = msgspec.convert(asdict(report), BreakerReport)
    again = msgspec.json.decode(msgspec.json.encode(carried), type=BreakerReport)
    assert again == carried
    assert (again.name, again.state, again.transitions[0].after) == (name, "open", "open")
    assert again.settings == report.settings
