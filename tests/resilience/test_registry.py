"""The breakers of a process: made at first use, obeying also what was said before."""

import pytest

from tests.resilience.fakes import Bench, Clock, NodeFault
from validation.resilience import WINDOWS, BreakerConfig, Breakers, Change, Override, State


def test_a_breaker_is_made_once_by_the_longest_prefix_that_fits() -> None:
    breakers = Breakers({"": BreakerConfig(min_calls=1), "node:": BreakerConfig(min_calls=2)})
    assert breakers.get("node:a:block") is breakers.get("node:a:block")
    breakers.get("l2")
    found = {r.name: r.settings["min_calls"] for r in breakers.reports()}
    assert found == {"l2": 1, "node:a:block": 2}


def test_an_override_is_obeyed_by_a_breaker_made_later_for_what_is_left_of_it() -> None:
    clock = Clock()
    breakers = Breakers(clock=clock)
    breakers.apply("l2", Override(mode="forced_open", mode_for_s=60, revision=4))
    clock.advance(20)
    report = breakers.get("l2").report()
    assert (report.state, report.forced_for_s, report.revision) == ("forced_open", 40, 4)


def test_one_that_ended_meanwhile_is_only_acknowledged() -> None:
    clock = Clock()
    breakers = Breakers(clock=clock)
    breakers.apply("l2", Override(mode="forced_open", mode_for_s=60, revision=4))
    clock.advance(61)
    report = breakers.get("l2").report()
    assert (report.state, report.revision) == ("closed", 4)


def test_of_two_layers_a_breaker_made_later_obeys_what_is_left() -> None:
    clock = Clock()
    breakers = Breakers(clock=clock)
    layers = Override(
        mode="forced_open",
        mode_for_s=60,
        settings={"min_calls": 2},
        settings_for_s=10,
        lasting={"min_calls": 3},
    )
    breakers.apply("l2", layers)
    clock.advance(20)
    report = breakers.get("l2").report()
    assert (report.state, report.forced_for_s) == ("forced_open", 40)
    assert report.settings["min_calls"] == 3


def test_a_cleared_override_is_not_obeyed_later() -> None:
    breakers = Breakers()
    breakers.apply("l2", Override(mode="forced_open"))
    breakers.apply("l2", None)
    assert breakers.get("l2").state is State.CLOSED


def test_an_older_revision_is_not_obeyed_later() -> None:
    breakers = Breakers()
    breakers.apply("l2", Override(mode="forced_open", revision=2))
    breakers.apply("l2", Override(revision=1))
    assert breakers.get("l2").state is State.FORCED_OPEN


def test_overriding_and_resetting_reach_one_breaker_only() -> None:
    breakers = Breakers({"": BreakerConfig(consecutive_failures=1)})
    for name in ("a", "b"):
        breaker = breakers.get(name)
        breaker.settle(breaker.admit(), error=NodeFault(), duration_s=0.1)
    breakers.reset("a")
    breakers.reset("never used")
    breakers.apply("b", Override(mode="disabled"))
    assert [b.state for b in breakers.all()] == [State.CLOSED, State.DISABLED]


def test_other_configurations_reach_breakers_that_live() -> None:
    breakers = Breakers({"": BreakerConfig()})
    breaker = breakers.get("l2")
    breakers.configure({"": BreakerConfig(use="metrics_only")})
    assert breaker.state is State.METRICS_ONLY
    assert breakers.get("other").state is State.METRICS_ONLY


def test_changes_are_told_complete_and_off_the_lock() -> None:
    """A listener that asks the breaker, even steers it, sees it changed and does not wait."""
    told: list[tuple[Change, State, int]] = []

    def listen(change: Change) -> None:
        breaker = breakers.get(change.name)
        told.append((change, breaker.state, breaker.report().trips))
        if change.after is State.OPEN:
            breaker.hint_recovered()

    breakers = Breakers({"": BreakerConfig(consecutive_failures=1)}, listen=listen)
    breaker = breakers.get("l2")
    breaker.settle(breaker.admit(), error=NodeFault(), duration_s=0.1)
    assert [(c.before, c.after, state, trips) for c, state, trips in told] == [
        (State.CLOSED, State.OPEN, State.OPEN, 1),
        (State.OPEN, State.HALF_OPEN, State.HALF_OPEN, 1),
    ]


def test_a_listener_that_fails_is_logged_and_disturbs_nobody(caplog: object) -> None:
    def listen(change: Change) -> None:
        raise RuntimeError("a defect of the listener")

    breakers = Breakers({"": BreakerConfig(consecutive_failures=1)}, listen=listen)
    breaker = breakers.get("l2")
    breaker.settle(breaker.admit(), error=NodeFault(), duration_s=0.1)
    assert breaker.state is State.OPEN
    assert "a listener of breaker l2 failed" in caplog.text  # type: ignore[attr-defined]


def test_only_the_last_twenty_changes_are_kept() -> None:
    bench = Bench()
    for _ in range(30):
        bench.force("forced_open")
        bench.breaker.override(None)
    kept = bench.breaker.report().transitions
    assert len(kept) == 20
    assert (kept[-1].before, kept[-1].after) == ("forced_open", "closed")


def test_what_breakers_are_used_for_is_exchanged_for_all_and_back() -> None:
    breakers = Breakers({"": BreakerConfig(consecutive_failures=1), "l2": BreakerConfig()})
    node, l2 = breakers.get("node:a:lookup"), breakers.get("l2")
    node.settle(node.admit(), error=NodeFault(), duration_s=0.1)
    found = []
    for use in ("off", "metrics_only", "on"):
        breakers.set_use(use)
        found.append((breakers.use, node.state, node.computed, node.admits(), l2.state))
    assert found == [
        ("off", State.DISABLED, State.OPEN, True, State.DISABLED),
        ("metrics_only", State.METRICS_ONLY, State.OPEN, True, State.METRICS_ONLY),
        ("on", State.OPEN, State.OPEN, False, State.CLOSED),
    ]


def test_what_is_off_counts_nothing_and_what_only_measures_refuses_nobody() -> None:
    breakers = Breakers({"": BreakerConfig(consecutive_failures=1)})
    breaker = breakers.get("l2")
    for use, calls in (("off", 0), ("metrics_only", 3)):
        breakers.set_use(use)
        for _ in range(3):
            breaker.settle(breaker.admit(), error=NodeFault(), duration_s=0.1)
        assert breaker.report().calls == calls
        assert breaker.report().rejected == 0


def test_an_operator_s_override_goes_before_what_flags_say() -> None:
    clock = Clock()
    breakers = Breakers(clock=clock)
    breaker = breakers.get("l2")
    breakers.apply("l2", Override(mode="forced_open", mode_for_s=60, lasting={"min_calls": 3}))
    breakers.set_use("off")
    breakers.set_window("count")
    assert (breaker.state, breaker.report().settings["min_calls"]) == (State.FORCED_OPEN, 3)
    clock.advance(60)
    assert (breaker.state, breaker.report().settings["min_calls"]) == (State.DISABLED, 3)
    breakers.set_use("on")
    assert breaker.state is State.CLOSED


def test_a_breaker_made_later_and_another_configuration_keep_what_was_set() -> None:
    breakers = Breakers()
    breakers.set_use("metrics_only")
    breakers.set_window("list")
    breakers.configure({"": BreakerConfig(min_calls=2)})
    report = breakers.get("l2").report()
    assert (report.state, report.settings["min_calls"]) == ("metrics_only", 2)
    assert (breakers.use, breakers.window) == ("metrics_only", "list")


@pytest.mark.parametrize("before", WINDOWS)
@pytest.mark.parametrize("after", WINDOWS)
def test_a_window_is_exchanged_with_calls_under_way(before: str, after: str) -> None:
    """Who was let in before it counts for the state of then alone; what comes after is judged."""
    breakers = Breakers({"": BreakerConfig(consecutive_failures=2, window=before)})
    breaker = breakers.get("l2")
    permits = [breaker.admit() for _ in range(3)]
    breaker.settle(permits.pop(), error=NodeFault(), duration_s=0.1)
    breakers.set_window(after)
    assert breakers.window == after
    assert breaker.report().calls == (1 if before == after else 0)
    for permit in permits[:1]:
        breaker.settle(permit, duration_s=0.1)
    breaker.settle(breaker.admit(), error=NodeFault(), duration_s=0.1)
    found = [breaker.report().state]
    breaker.settle(breaker.admit(), error=NodeFault(), duration_s=0.1)
    assert [*found, breaker.report().state] == ["closed", "open"]


@pytest.mark.parametrize(("act", "word"), [("set_use", "use"), ("set_window", "window")])
def test_an_unknown_variant_is_refused_and_changes_nothing(act: str, word: str) -> None:
    breakers = Breakers()
    with pytest.raises(ValueError, match=f"{word}: must be one of .*'often'"):
        getattr(breakers, act)("often")
    assert (breakers.use, breakers.window) == (None, None)
