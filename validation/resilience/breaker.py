"""The breaker: asks its state who may pass, counts what came of it, and obeys an operator first."""

import logging
import threading
import time
from collections.abc import Callable
from random import Random, SystemRandom

from validation.resilience.calls import Calls, is_fault
from validation.resilience.config import BreakerConfig, Override
from validation.resilience.errors import Rejected
from validation.resilience.record import Record, count_transition
from validation.resilience.reports import Report
from validation.resilience.states import (
    BYSTANDER,
    UNSEEN,
    Change,
    Closed,
    HalfOpen,
    Open,
    Outcome,
    Permit,
    Probe,
    State,
    Step,
)
from validation.resilience.window import SAMPLES, WINDOWS, Window, percentiles

_log = logging.getLogger(__name__)
_MASK = SAMPLES - 1
_NEVER = float("-inf")
_FOREVER = float("inf")
_BY_USE = {"on": "", "metrics_only": "metrics_only", "off": "disabled"}

type Listener = Callable[[Change], None]


class Surroundings:
    """What breakers of one process share. One lock is enough: it is held for microseconds, and
    never on the path of a call that succeeds through a closed breaker.
    """

    __slots__ = ("clock", "listen", "lock", "random", "wall")

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        random: Random | None = None,
        listen: Listener | None = None,
    ) -> None:
        self.clock = clock
        self.wall = wall
        self.random = random or SystemRandom()
        self.listen = listen
        self.lock = threading.Lock()


class _Hold:
    """An override in force, and what it replaces."""

    __slots__ = ("base", "ends", "override")

    def __init__(self, override: Override, base: BreakerConfig, ends: float | None) -> None:
        self.override = override
        self.base = base
        self.ends = ends


class Breaker(Calls):
    """Calls are let in and settled on one thread (an event loop's), or by `call_sync` on many.
    Any thread may read, override and reset.
    """

    __slots__ = (
        "_around",
        "_clock",
        "_config",
        "_hold",
        "_pass",
        "_quick",
        "_record",
        "_shut_until",
        "_state",
        "_window",
        "name",
    )

    def __init__(
        self,
        name: str,
        config: BreakerConfig | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        random: Random | None = None,
        listen: Listener | None = None,
        around: Surroundings | None = None,
    ) -> None:
        """`around` replaces the three before it: what a process shares among its breakers."""
        self.name = name
        self._around = around or Surroundings(clock=clock, random=random, listen=listen)
        self._clock = self._around.clock
        self._config = config or BreakerConfig()
        self._window = self._new_window()
        self._record: Record | None = None
        self._hold: _Hold | None = None
        self._state: Closed | Open | HalfOpen = Closed()
        # Derived by `_arrange` whenever what they rest on changes:
        # handed to whoever asks while the breaker is closed and nobody overrides it;
        self._pass: Closed | None = None
        # with this permit, a good call is counted without looking at anything else;
        self._quick: Closed | None = None
        # nobody passes, and nothing can change by itself, before this.
        self._shut_until = _NEVER
        self._arrange(self._clock())

    # On the path of a call.

    def admit(self) -> Permit:
        """One call may pass, or `Rejected`. Settle the permit once, or cancel it."""
        permit = self._pass
        return permit if permit is not None else self._enter(self._clock())

    def settle(
        self,
        permit: Permit,
        duration_s: float,
        error: BaseException | None = None,
        now: float | None = None,
    ) -> None:
        """What came of a permit. An error that does not trip breakers only gives it back. `now`:
        the breaker's clock, where the caller has just read it.
        """
        if now is None:
            now = self._clock()
        if error is None and permit is self._quick and duration_s < self._config.slow_s:
            window = self._window
            if now < window.ends:
                window.good = good = window.good + 1
                window.samples[good & _MASK] = duration_s
                return
        self._settle(permit, error, duration_s, now)

    def _enter(self, now: float) -> Permit:
        if now < self._shut_until:
            raise self._rejection(self._shut_until - now)
        if self._pass is not None:
            return self._pass
        with self._around.lock:
            self._advance(now)
            permit = self._choose(now)
        self._tell()
        if permit is None:
            shut_for_s = self._shut_until - now
            raise self._rejection(shut_for_s if shut_for_s > 0 else None)
        return permit

    def _choose(self, now: float) -> Permit | None:
        mode = self._mode
        if mode == State.FORCED_OPEN:
            return None
        if mode == State.DISABLED:
            return UNSEEN
        permit = self._state.admit(now, self._config)
        return BYSTANDER if permit is None and mode else permit

    def _rejection(self, retry_after_s: float | None) -> Rejected:
        self._recorded().rejected += 1
        if retry_after_s == _FOREVER:
            retry_after_s = None
        return Rejected(self.name, retry_after_s, self._mode == State.FORCED_OPEN)

    def _settle(
        self, permit: Permit, error: BaseException | None, duration_s: float, now: float
    ) -> None:
        if permit is UNSEEN:
            return
        if error is not None and not isinstance(error, Exception):
            permit.cancel()  # cancelled, or the process ends: nobody is to blame
            return
        is_slow = duration_s >= self._config.slow_s
        if error is None:
            outcome = Outcome.SLOW if is_slow else Outcome.SUCCESS
        else:
            outcome = Outcome.FAILURE if is_fault(error) else Outcome.IGNORED
        with self._around.lock:
            self._advance(now)
            self._judge(permit, outcome, duration_s, now)
        self._tell()

    def _judge(self, permit: Permit, outcome: Outcome, duration_s: float, now: float) -> None:
        """Caller holds the lock."""
        if isinstance(permit, Probe) and not permit.half_open.give_back(permit):
            return
        state, window = self._state, self._window
        is_current = permit is state or (isinstance(permit, Probe) and permit.half_open is state)
        is_counted = is_current or permit is BYSTANDER
        if outcome is not Outcome.SUCCESS or not is_counted:
            self._recorded().outcomes[outcome] += 1  # else the window counts it
        if outcome is Outcome.IGNORED or not is_counted:
            return
        counts = window.record(
            failed=outcome is Outcome.FAILURE,
            slow=duration_s >= self._config.slow_s,
            duration_s=duration_s,
            now=now,
        )
        step = None
        if is_current and isinstance(state, Closed):
            step = state.judge(counts, window.run, now, self._config, self._around.random)
        elif is_current and isinstance(state, HalfOpen):
            step = state.judge(outcome, now, self._config, self._around.random)
        if step is not None:
            self._go(step, now)
        else:
            self._arrange(now)

    # On any thread.

    @property
    def state(self) -> State:
        """The state in force: an operator's, or else the computed one."""
        with self._around.lock:
            self._advance(self._clock())
            state = self._in_force
        self._tell()
        return state

    @property
    def computed(self) -> State:
        """What it is, or would be, by itself."""
        with self._around.lock:
            self._advance(self._clock())
            state = self._state.state
        self._tell()
        return state

    def admits(self) -> bool:
        """Whether a call would pass now."""
        if self._pass is not None:
            return True
        now = self._clock()
        if now < self._shut_until:
            return False
        with self._around.lock:
            self._advance(now)
            state = self._state
            may_pass = self._mode not in {"", State.FORCED_OPEN} or (
                self._mode == ""
                and (
                    isinstance(state, Closed)
                    or (isinstance(state, HalfOpen) and state.has_place(self._config))
                )
            )
        self._tell()
        return may_pass

    def retry_in_s(self) -> float | None:
        """Seconds until calls may pass again by the clock alone; None: they do, or it is not for
        the clock to say.
        """
        now = self._clock()
        with self._around.lock:
            self._advance(now)
            left = self._shut_until - now
        self._tell()
        return left if 0 < left < _FOREVER else None

    def hint_recovered(self) -> None:
        """A background probe succeeded: what is open becomes half open at once."""
        now = self._clock()
        with self._around.lock:
            self._advance(now)
            state = self._state
            if isinstance(state, Open):
                self._go(Step(HalfOpen(state.streak), "a background probe succeeded", now), now)
        self._tell()

    def reset(self) -> None:
        """Starts afresh: closed, nothing in the window, no trip remembered. An override stays."""
        now = self._clock()
        with self._around.lock:
            self._advance(now)
            self._go(Step(Closed(), "reset", now), now)
        self._tell()

    def override(self, override: Override | None) -> None:
        """Obeys from now until it ends by itself; None clears whatever is in force. One of an
        older revision than that obeyed is left aside.
        """
        now = self._clock()
        with self._around.lock:
            self._advance(now)
            record = self._recorded()
            if override is None:
                record.revision = 0
                self._hold_to(None, now, "the override was cleared")
            elif override.revision >= record.revision:
                record.revision = override.revision
                ended = override.is_empty or (override.for_s is not None and override.for_s <= 0)
                self._hold_to(None if ended else override, now, "an operator's override")
        self._tell()

    def configure(self, config: BreakerConfig) -> None:
        """Goes by another configuration from now on, in the state that it is in."""
        now = self._clock()
        with self._around.lock:
            self._advance(now)
            before = self._in_force
            if self._hold is not None:
                self._hold.base = config
                config = config.tuned(self._hold.override.settings)
            self._follow(config)
            self._changed(before, "another configuration", now, now)
            self._arrange(now)
        self._tell()

    def report(self) -> Report:
        """How it stands, by the clock now. Brings the metrics up to date."""
        now = self._clock()
        with self._around.lock:
            self._advance(now)
            self._tally()
            counts, latencies = self._window.counts(now), self._window.latencies(now)
            record, hold, config = self._recorded(), self._hold, self._config
            says_rate = counts.calls >= config.min_calls
            left = self._shut_until - now
            half = Report(
                name=self.name,
                state=self._in_force,
                computed=self._state.state,
                failure_rate=counts.failures / counts.calls if says_rate else None,
                slow_rate=counts.slow / counts.calls if says_rate else None,
                calls=counts.calls,
                failures=counts.failures,
                slow=counts.slow,
                rejected=record.rejected,
                trips=record.trips,
                retry_in_s=left if 0 < left < _FOREVER else None,
                p50_ms=None,
                p95_ms=None,
                forced_for_s=hold.ends - now if hold and hold.ends is not None else None,
                revision=record.revision,
                settings=config.thresholds(),
                transitions=tuple(record.transitions),
            )
        self._tell()
        return half.with_latencies(*percentiles(latencies, (0.5, 0.95)))

    def tally(self) -> None:
        """Brings the metrics up to date."""
        with self._around.lock:
            self._tally()

    def destroy(self) -> None:
        """Ends it: whoever still asks passes uncounted, and nobody is told anything more. There is
        no timer or task to stop.
        """
        with self._around.lock:
            self._tally()
            self._hold = None
            self._around = Surroundings(clock=self._clock, wall=self._around.wall)
            self._follow(BreakerConfig(use="off"))
            self._state = Closed()
            self._record = None
            self._arrange(self._clock())

    # Under the lock.

    @property
    def _mode(self) -> str:
        """What is asked of the breaker, "" for nothing but its job."""
        hold = self._hold
        return (hold.override.mode if hold is not None else "") or _BY_USE[self._config.use]

    @property
    def _in_force(self) -> State:
        mode = self._mode
        return State(mode) if mode else self._state.state

    def _recorded(self) -> Record:
        if self._record is None:
            self._record = Record()
        return self._record

    def _tally(self) -> None:
        if self._record is not None or self._window.good_total:
            self._recorded().tally(self.name, self._window)

    def _new_window(self) -> Window:
        config = self._config
        return WINDOWS[config.window](config.window_s, config.buckets, config.window_size)

    def _renew_window(self) -> None:
        old, self._window = self._window, self._new_window()
        if old.good_total:
            self._recorded().outcomes[Outcome.SUCCESS] += old.good_total

    def _advance(self, now: float) -> None:
        """Does what was due by now: the end of an override, and what time does to the state."""
        hold = self._hold
        if hold is not None and hold.ends is not None and now >= hold.ends:
            self._hold_to(None, now, "the override ended", at=hold.ends)
        while step := self._state.move(now, self._config, self._around.random):
            self._go(step, now)

    def _go(self, step: Step, now: float) -> None:
        before = self._in_force
        self._state = step.to
        if isinstance(step.to, Open):
            self._recorded().trips += 1
        elif isinstance(step.to, Closed):
            self._renew_window()
        self._changed(before, step.cause, now, step.at)
        self._arrange(now)

    def _hold_to(
        self, override: Override | None, now: float, cause: str, at: float | None = None
    ) -> None:
        before = self._in_force
        base = self._hold.base if self._hold is not None else self._config
        if override is None:
            self._hold = None
            self._follow(base)
        else:
            ends = None if override.for_s is None else now + override.for_s
            self._hold = _Hold(override, base, ends)
            self._follow(base.tuned(override.settings))
        self._changed(before, cause, now, now if at is None else at)
        self._arrange(now)

    def _follow(self, config: BreakerConfig) -> None:
        has_same_window = config.has_same_window(self._config)
        self._config = config
        if not has_same_window:
            self._renew_window()

    def _changed(self, before: State, cause: str, now: float, at: float) -> None:
        after = self._in_force
        if after != before:
            wall = self._around.wall() - (now - at)
            self._recorded().changed(
                Change(name=self.name, at=wall, before=before, after=after, cause=cause)
            )

    def _arrange(self, now: float) -> None:
        """Derives what the path of a call looks at."""
        mode, state, hold = self._mode, self._state, self._hold
        ends = _FOREVER if hold is None or hold.ends is None else hold.ends
        if mode == State.FORCED_OPEN:
            self._shut_until = ends
        else:
            is_shut = not mode and isinstance(state, Open)
            self._shut_until = min(state.until, ends) if is_shut else _NEVER
        self._pass = state if not mode and isinstance(state, Closed) else None
        # Bad calls in the window: each good one may change a share, and is looked at. An override
        # that ends: somebody must look at the clock.
        is_quiet = ends == _FOREVER and not self._window.run
        counts = self._window.counts(now)
        self._quick = self._pass if is_quiet and not (counts.failures or counts.slow) else None

    # Off the lock.

    def _tell(self) -> None:
        """Each change once, after it is complete."""
        record = self._record
        while record is not None and record.untold:
            try:
                change = record.untold.popleft()
            except IndexError:
                return  # another thread tells it
            count_transition(change)
            if (listen := self._around.listen) is not None:
                try:
                    listen(change)
                except Exception:  # noqa: BLE001 - a listener's fault is not the call's
                    _log.exception("a listener of breaker %s failed", self.name)
