"""What an operator forces is obeyed at once, ends by itself, and hides nothing of the truth."""

import threading

import pytest

from tests.resilience.fakes import Bench, NodeFault
from validation.resilience import (
    THRESHOLDS,
    BreakerConfig,
    Override,
    Permit,
    Rejected,
    State,
)

PASSING = ["forced_closed", "metrics_only", "disabled"]


def test_forced_open_refuses_every_call_from_then_on() -> None:
    bench = Bench()
    bench.force("forced_open", for_s=900)
    refused = bench.rejection()
    assert (refused.forced, refused.retry_after_s) == (True, 900)
    assert str(refused) == "breaker node:a:lookup is held open by an operator for 900.0 s"
    assert not bench.breaker.admits()
    assert (bench.breaker.state, bench.breaker.computed) == (State.FORCED_OPEN, State.CLOSED)


def test_forced_open_without_an_end_lasts() -> None:
    bench = Bench()
    bench.force("forced_open")
    bench.clock.advance(1e9)
    refused = bench.rejection()
    assert (refused.forced, refused.retry_after_s) == (True, None)
    assert str(refused) == "breaker node:a:lookup is held open by an operator"


@pytest.mark.parametrize("mode", ["forced_open", *PASSING])
def test_it_ends_by_itself_without_a_call(mode: str) -> None:
    bench = Bench()
    bench.force(mode, for_s=900, revision=7)
    bench.clock.advance(899.5)
    report = bench.breaker.report()
    assert (report.state, report.forced_for_s, report.revision) == (mode, 0.5, 7)
    bench.clock.advance(0.5)
    report = bench.breaker.report()
    assert (report.state, report.forced_for_s, report.revision) == ("closed", None, 7)
    assert bench.told() == [("closed", mode), (mode, "closed")]
    assert bench.changes[-1].cause == "the override ended"
    bench.succeed()


@pytest.mark.parametrize("mode", PASSING)
def test_calls_pass_whatever_comes_of_them(mode: str) -> None:
    bench = Bench(consecutive_failures=1)
    bench.force(mode)
    bench.fail(20)
    assert bench.breaker.admits()
    assert bench.breaker.state == mode
    assert bench.breaker.retry_in_s() is None


@pytest.mark.parametrize("mode", ["forced_closed", "metrics_only"])
def test_what_it_would_be_by_itself_is_still_computed(mode: str) -> None:
    bench = Bench(consecutive_failures=3, open_s=5, half_open_calls=2, min_calls=1)
    bench.force(mode, for_s=900)
    bench.fail(3)
    assert bench.computed() is State.OPEN
    bench.succeed(5)  # would have been refused: seen in the rates, proves nothing
    report = bench.breaker.report()
    assert (report.computed, report.calls, report.failure_rate) == ("open", 8, 3 / 8)
    bench.clock.advance(5)
    bench.succeed(2)
    assert bench.computed() is State.CLOSED
    assert bench.told() == [("closed", mode)]


def test_at_its_end_the_computed_state_takes_over() -> None:
    bench = Bench(consecutive_failures=1, open_s=60)
    bench.force("forced_closed", for_s=10)
    bench.fail()
    bench.clock.advance(10)
    assert bench.state() is State.OPEN
    assert bench.rejection().retry_after_s == 50


def test_a_disabled_breaker_does_not_even_count() -> None:
    bench = Bench(consecutive_failures=1)
    bench.force("disabled")
    bench.fail(5)
    report = bench.breaker.report()
    assert (report.computed, report.calls, report.failure_rate) == ("closed", 0, None)


def test_an_open_time_ends_also_while_it_is_forced_open() -> None:
    bench = Bench(consecutive_failures=1, open_s=5)
    bench.fail()
    bench.force("forced_open", for_s=60)
    bench.clock.advance(6)
    assert bench.computed() is State.HALF_OPEN
    assert bench.rejection().retry_after_s == 54


def test_clearing_ends_it_at_once() -> None:
    bench = Bench()
    bench.force("forced_open")
    bench.breaker.override(None)
    bench.succeed()
    assert bench.breaker.report().revision == 0


def test_an_empty_override_clears_and_is_acknowledged() -> None:
    bench = Bench()
    bench.force("forced_open", revision=3)
    bench.breaker.override(Override(revision=4))
    report = bench.breaker.report()
    assert (report.state, report.revision) == ("closed", 4)


def test_one_that_is_over_when_it_arrives_is_acknowledged_and_not_obeyed() -> None:
    bench = Bench()
    bench.force("forced_open", for_s=-3, revision=5)
    report = bench.breaker.report()
    assert (report.state, report.revision) == ("closed", 5)


def test_an_older_revision_does_not_undo_a_newer() -> None:
    bench = Bench()
    bench.force("forced_open", revision=9)
    bench.breaker.override(Override(revision=8))
    assert bench.state() is State.FORCED_OPEN


def test_thresholds_hold_for_a_time_and_then_the_configured_ones() -> None:
    bench = Bench(consecutive_failures=5)
    bench.breaker.override(Override(settings={"consecutive_failures": 2}, settings_for_s=60))
    assert bench.breaker.report().settings["consecutive_failures"] == 2
    bench.clock.advance(60)
    bench.fail(2)
    assert bench.state() is State.CLOSED
    assert bench.breaker.report().settings["consecutive_failures"] == 5
    bench.fail(3)
    assert bench.state() is State.OPEN


def test_a_threshold_counts_from_the_next_call() -> None:
    bench = Bench(slow_s=5, min_calls=2, slow_rate=1)
    bench.succeed(took_s=0.1)
    bench.breaker.override(Override(settings={"slow_s": 0.05, "slow_rate": 0.5}))
    bench.succeed(took_s=0.1)
    assert bench.state() is State.OPEN


def test_a_lent_threshold_ends_also_where_every_call_is_good() -> None:
    bench = Bench(slow_s=1)
    bench.breaker.override(Override(settings={"slow_s": 10}, settings_for_s=60))
    bench.succeed(5, took_s=5)
    bench.clock.advance(60)
    bench.succeed(took_s=5)
    assert bench.breaker.report().slow == 1


def test_forced_open_lets_nobody_pass_when_a_shorter_tuning_ends() -> None:
    bench = Bench(consecutive_failures=5)
    bench.breaker.override(
        Override(
            mode="forced_open",
            mode_for_s=3600,
            settings={"consecutive_failures": 2},
            settings_for_s=10,
        )
    )
    bench.clock.advance(11)
    assert bench.rejection().forced
    report = bench.breaker.report()
    assert (report.state, report.forced_for_s) == ("forced_open", 3589)
    assert report.settings["consecutive_failures"] == 5
    assert not bench.breaker.admits()
    bench.clock.advance(3589)
    bench.succeed()
    assert bench.told() == [("closed", "forced_open"), ("forced_open", "closed")]


def test_a_mode_ends_and_leaves_what_it_lay_over() -> None:
    bench = Bench(consecutive_failures=5)
    bench.breaker.override(
        Override(
            mode="forced_closed",
            mode_for_s=10,
            settings={"consecutive_failures": 4},
            settings_for_s=20,
            lasting={"consecutive_failures": 3, "window_s": 60},
            revision=3,
        )
    )
    bench.succeed()
    bench.clock.advance(10)
    report = bench.breaker.report()
    assert (report.state, report.forced_for_s, report.revision) == ("closed", None, 3)
    assert report.settings["consecutive_failures"] == 4
    assert report.calls == 1  # the window that lasts was not begun anew
    bench.clock.advance(10)
    bench.fail(2)
    assert bench.state() is State.CLOSED
    bench.fail()
    assert bench.state() is State.OPEN


def test_layers_that_ended_unseen_end_each_at_its_time() -> None:
    bench = Bench(min_calls=9)
    bench.breaker.override(
        Override(mode="forced_open", mode_for_s=10, settings={"min_calls": 2}, settings_for_s=20)
    )
    bench.clock.advance(100)
    report = bench.breaker.report()
    assert (report.state, report.settings["min_calls"]) == ("closed", 9)
    begun, ended = report.transitions
    assert begun.at - ended.at == pytest.approx(90, abs=1)  # of the wall's clock, which stood


def test_another_window_starts_empty() -> None:
    bench = Bench(window_s=30)
    bench.succeed(20)
    bench.breaker.override(Override(settings={"window_s": 60, "min_calls": 1}))
    assert bench.breaker.report().calls == 0
    bench.succeed()
    bench.clock.advance(45)
    assert bench.breaker.report().calls == 1


def test_reset_starts_afresh_and_leaves_the_override() -> None:
    bench = Bench(consecutive_failures=1, open_s=5, half_open_calls=1)
    bench.half_open()
    bench.fail()
    bench.force("metrics_only", for_s=60)
    bench.breaker.reset()
    report = bench.breaker.report()
    assert (report.state, report.computed, report.calls) == ("metrics_only", "closed", 0)
    bench.breaker.override(None)
    bench.fail()
    assert bench.breaker.retry_in_s() == 5  # earlier trips are forgotten


@pytest.mark.parametrize(
    ("use", "state"), [("on", "closed"), ("metrics_only", "metrics_only"), ("off", "disabled")]
)
def test_a_configuration_chooses_whether_it_acts(use: str, state: str) -> None:
    bench = Bench(use=use)
    assert bench.breaker.state == state
    bench.force("forced_open", for_s=1)
    assert bench.state() is State.FORCED_OPEN
    bench.clock.advance(1)
    assert bench.breaker.state == state


def test_another_configuration_may_come_while_it_lives() -> None:
    bench = Bench(consecutive_failures=5)
    bench.breaker.override(Override(settings={"min_calls": 3}))
    bench.breaker.configure(BreakerConfig(consecutive_failures=2, jitter=0))
    assert bench.breaker.report().settings["min_calls"] == 3
    bench.fail(2)
    assert bench.state() is State.OPEN


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"mode": "open"}, "mode: must be '' or one of forced_open"),
        ({"mode_for_s": float("nan")}, "mode_for_s: must be finite, not nan"),
        ({"settings_for_s": float("inf")}, "settings_for_s: must be finite, not inf"),
        ({"lasting": {"speed": 1}}, "settings: 'speed' is not one of"),
        ({"settings": {"speed": 1}}, "settings: 'speed' is not one of"),
        ({"settings": {"failure_rate": 1.5}}, "failure_rate: must be from 0.01 to 1 of 1, not 1.5"),
        ({"settings": {"min_calls": 2.5}}, "min_calls: must be a whole number, not 2.5"),
        ({"settings": {"open_s": float("nan")}}, "open_s: must be from 0.1 to 3600 s, not nan"),
    ],
)
def test_what_cannot_be_is_refused_by_name_and_value(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match="^" + told.replace("'", ".")):
        Override(**wrong)  # type: ignore[arg-type]


def test_every_threshold_says_what_it_means_and_holds_its_default() -> None:
    defaults = BreakerConfig().thresholds()
    assert set(defaults) == set(THRESHOLDS)
    for name, threshold in THRESHOLDS.items():
        assert threshold.refusal(name, defaults[name]) is None
        assert threshold.text
        assert threshold.unit


def test_after_the_override_returned_no_call_passes_on_any_thread() -> None:
    """Calls run while another thread forces open: those admitted afterwards are none."""
    bench = Bench()
    forced, stop = threading.Event(), threading.Event()
    passed_after: list[Permit] = []
    rejected: list[Rejected] = []

    def calls() -> None:
        while not stop.is_set():
            is_after = forced.is_set()
            try:
                permit = bench.breaker.admit()
            except Rejected as error:
                rejected.append(error)
                if len(rejected) > 1000:
                    return
                continue
            if is_after:
                passed_after.append(permit)
            bench.breaker.settle(permit, duration_s=0.001)

    thread = threading.Thread(target=calls)
    thread.start()
    try:
        bench.force("forced_open", for_s=60)
        forced.set()
        thread.join(timeout=30)
    finally:
        stop.set()
        thread.join()
    assert not passed_after
    assert len(rejected) > 1000


def test_in_flight_calls_are_settled_though_forced_open_meanwhile() -> None:
    bench = Bench(consecutive_failures=1)
    permit = bench.breaker.admit()
    bench.force("forced_open", for_s=60)
    bench.settle(permit, NodeFault("no answer"))
    assert bench.computed() is State.OPEN
