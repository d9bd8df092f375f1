"""The breaker's face: on the path of a call, and for whoever reads or steers it."""

import time
from collections.abc import Callable
from random import Random

from validation.resilience.calls import Calls
from validation.resilience.config import BreakerConfig, Override
from validation.resilience.machine import Listener, Surroundings
from validation.resilience.permits import FOREVER, Permit
from validation.resilience.reports import Report
from validation.resilience.states import Closed, HalfOpen, Open, State, Step
from validation.resilience.window import percentiles


class Breaker(Calls):
    """Calls are let in and settled on one thread (an event loop's), or by `call_sync` on many.
    Any thread may read, override and reset.
    """

    __slots__ = ()

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
        around = around or Surroundings(clock=clock, random=random, listen=listen)
        super().__init__(name, config or BreakerConfig(), around)

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
        if error is None and now < permit.ends and duration_s < permit.slow_s:
            permit.keep(duration_s)
        else:
            self._settle(permit, error, duration_s, now)

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
        with self._around.lock:
            self._advance(now)
            mode, state = self._mode, self._state
            if mode:
                may_pass = mode != State.FORCED_OPEN
            else:
                may_pass = isinstance(state, Closed) or (
                    isinstance(state, HalfOpen) and state.has_place(self._config)
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
            left = self._shut_for - now
        self._tell()
        return left if 0 < left < FOREVER else None

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
                self._hold_to(override.after(0), now, "an operator's override")
        self._tell()

    def configure(self, config: BreakerConfig) -> None:
        """Goes by another configuration from now on, in the state that it is in."""
        now = self._clock()
        with self._around.lock:
            self._advance(now)
            before = self._in_force
            if self._hold is not None:
                self._hold.base = config
                config = self._hold.config()
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
            record, hold, config = self._record, self._hold, self._config
            says_rate = counts.calls >= config.min_calls
            left = self._shut_for - now
            half = Report(
                name=self.name,
                made_at=self._made_at,
                state=self._in_force.value,
                computed=self._state.state.value,
                failure_rate=counts.failures / counts.calls if says_rate else None,
                slow_rate=counts.slow / counts.calls if says_rate else None,
                calls=counts.calls,
                failures=counts.failures,
                slow=counts.slow,
                rejected=self._rejected,
                trips=record.trips if record else 0,
                retry_in_s=left if 0 < left < FOREVER else None,
                p50_ms=None,
                p95_ms=None,
                forced_for_s=hold.forced_for_s(now) if hold else None,
                revision=record.revision if record else 0,
                settings=config.thresholds(),
                transitions=record.transitions if record else (),
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
            around = self._around
            self._around = Surroundings(clock=self._clock, wall=around.wall, named=around.named)
            self._config = BreakerConfig(use="off")
            self._renew_window()
            self._state = Closed()
            self._record = None
            self._arrange(self._clock())
