"""Whatever is done to a breaker, in whatever order, it stands where its simple model stands."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.resilience.fakes import CallerFault, Clock, NodeFault
from tests.resilience.model import Model, Outcome, Token
from validation.resilience import Breaker, BreakerConfig, Change, Override, Permit, Rejected

OUTCOMES: list[Outcome] = ["good", "slow", "failed", "ignored"]
ERRORS: dict[str, type[Exception]] = {"failed": NodeFault, "ignored": CallerFault}
# Quarters of seconds: exact in binary, so that both sides agree on what is due.
seconds = st.integers(0, 60).map(lambda quarters: quarters / 4)
configs = st.fixed_dictionaries(
    {
        "window_s": st.sampled_from([4.0, 8.0, 32.0]),
        "buckets": st.sampled_from([1, 2, 8]),
        "min_calls": st.integers(1, 6),
        "failure_rate": st.sampled_from([0.25, 0.5, 1.0]),
        "slow_rate": st.sampled_from([0.25, 0.5, 1.0]),
        "consecutive_failures": st.integers(0, 4),
        "open_s": st.sampled_from([0.5, 4.0]),
        "open_max_s": st.sampled_from([2.0, 16.0]),
        "calm_s": st.sampled_from([0.0, 8.0]),
        "half_open_calls": st.integers(1, 3),
        "half_open_max_s": st.sampled_from([0.5, 8.0]),
    }
)
thresholds = st.fixed_dictionaries(
    {},
    optional={
        "min_calls": st.integers(1, 6),
        "consecutive_failures": st.integers(0, 4),
        "failure_rate": st.sampled_from([0.25, 1.0]),
        "open_s": st.sampled_from([0.5, 32.0]),
        "half_open_calls": st.integers(1, 3),
        "half_open_max_s": st.sampled_from([0.5, 8.0]),
        "window_s": st.sampled_from([4.0, 16.0]),
    },
)
modes = st.sampled_from(["", "", "forced_open", "forced_closed", "metrics_only", "disabled"])


class BreakerAndModel(RuleBasedStateMachine):
    breaker: Breaker
    model: Model

    @initialize(config=configs)
    def start(self, config: dict[str, Any]) -> None:
        made = BreakerConfig(jitter=0.0, slow_s=1.0, **config)
        self.clock = Clock(1024.0)
        self.changes: list[Change] = []
        self.breaker = Breaker("l2", made, clock=self.clock, listen=self.changes.append)
        self.model = Model(config=made, base=made, now=self.clock.now)
        self.out: list[tuple[Permit, Token]] = []

    @rule()
    def admit(self) -> None:
        would = self.breaker.admits()
        token = self.model.admit()
        if token is None:
            assert not would
            with pytest.raises(Rejected) as caught:
                self.breaker.admit()
            assert caught.value.forced == (self.model.mode == "forced_open")
            assert caught.value.retry_after_s == self.model.retry_in_s()
        else:
            assert would
            self.out.append((self.breaker.admit(), token))

    @rule(outcome=st.sampled_from(OUTCOMES), which=st.integers(0, 99))
    @precondition(lambda self: self.out)
    def settle(self, outcome: Outcome, which: int) -> None:
        permit, token = self.out.pop(which % len(self.out))
        self._settle(permit, token, outcome)

    def _settle(self, permit: Permit, token: Token, outcome: Outcome) -> None:
        self.model.settle(token, outcome)
        error = ERRORS[outcome]() if outcome in ERRORS else None
        self.breaker.settle(permit, error=error, duration_s=2.0 if outcome == "slow" else 0.1)

    @rule(outcomes=st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=12))
    def call(self, outcomes: list[Outcome]) -> None:
        """A few calls, one after the other: what most breakers see most of the time."""
        for outcome in outcomes:
            before = len(self.out)
            self.admit()
            if len(self.out) > before:
                self._settle(*self.out.pop(), outcome)

    @rule(which=st.integers(0, 99), twice=st.booleans())
    @precondition(lambda self: self.out)
    def cancel(self, which: int, twice: bool) -> None:
        permit, token = self.out.pop(which % len(self.out))
        for _ in range(1 + twice):
            permit.cancel()
            self.model.cancel(token)

    @rule(seconds=seconds)
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.model.now += seconds

    @rule(
        mode=modes,
        settings=thresholds,
        lasting=st.one_of(st.just({}), thresholds),
        ends=st.tuples(st.one_of(st.none(), seconds), st.one_of(st.none(), seconds)),
        newer=st.integers(-1, 2),
    )
    def override(
        self,
        mode: str,
        settings: dict[str, float],
        lasting: dict[str, float],
        ends: tuple[float | None, float | None],
        newer: int,
    ) -> None:
        model, revision = self.model, max(0, self.model.revision + newer)
        mode_for_s, settings_for_s = ends
        override = Override(
            mode=mode,
            mode_for_s=mode_for_s,
            settings=settings,
            settings_for_s=settings_for_s,
            lasting=lasting,
            revision=revision,
        )
        self.breaker.override(override)
        model.move()
        if revision >= model.revision:
            model.revision = revision
            model.hold(mode, mode_for_s, settings, settings_for_s, lasting)

    @rule()
    def clear(self) -> None:
        self.breaker.override(None)
        self.model.move()
        self.model.release()
        self.model.revision = 0

    @rule()
    def reset(self) -> None:
        self.breaker.reset()
        self.model.move()
        self.model.close(streak=0)
        self.model.since = 0.0

    @rule()
    def hint(self) -> None:
        self.breaker.hint_recovered()
        self.model.move()
        if self.model.state == "open":
            self.model.half_open()

    @rule()
    def look(self) -> None:
        """Not after every step: what nobody looks at must move all the same."""
        self.model.move()
        report, model = self.breaker.report(), self.model
        calls, failures, slow = model.counts()
        assert (report.state, report.computed) == (model.in_force, model.state)
        assert (report.calls, report.failures, report.slow) == (calls, failures, slow)
        assert (report.rejected, report.trips) == (model.rejected, model.trips)
        assert report.failure_rate == (
            failures / calls if calls >= model.config.min_calls else None
        )
        assert report.retry_in_s == model.retry_in_s() == self.breaker.retry_in_s()
        assert report.settings == model.config.thresholds()
        assert report.revision == model.revision
        assert (report.p50_ms is None) == (calls == 0)

    @invariant()
    def changes_follow_one_another(self) -> None:
        """Each begins where the one before ended: none is lost, doubled or out of order."""
        pairs = zip(self.changes, self.changes[1:], strict=False)
        assert all(one.after == next_.before for one, next_ in pairs)
        assert all(change.before != change.after for change in self.changes)

    def teardown(self) -> None:
        if hasattr(self, "breaker"):
            self.look()
            self.breaker.destroy()


BreakerAndModel.TestCase.settings = settings(
    max_examples=300, stateful_step_count=40, deadline=None
)
TestBreakerAndModel = BreakerAndModel.TestCase
