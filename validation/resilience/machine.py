"""The breaker's inside: what happens under its lock, and what the path of a call may rely on."""

import logging
import threading
import time
from collections.abc import Callable, Collection
from random import Random, SystemRandom

from validation.resilience.config import BreakerConfig, Override
from validation.resilience.errors import Rejected, is_fault
from validation.resilience.holds import Hold
from validation.resilience.permits import BYSTANDER, FOREVER, NEVER, UNSEEN, Permit
from validation.resilience.record import OTHER, Record, count_calls, count_transition
from validation.resilience.states import (
    Change,
    Closed,
    HalfOpen,
    Open,
    Outcome,
    Probe,
    State,
    Step,
)
from validation.resilience.window import WINDOWS, Counts, Window

_log = logging.getLogger(__name__)
_FRESH = Closed()
_BY_USE = {"on": "", "metrics_only": "metrics_only", "off": "disabled"}

type Listener = Callable[[Change], None]


class Surroundings:
    """What breakers of one process share. One lock is enough: it is held for microseconds, and
    never on the path of a call that succeeds through a closed breaker.
    """

    __slots__ = ("clock", "listen", "lock", "named", "random", "wall")

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        random: Random | None = None,
        listen: Listener | None = None,
        named: Collection[str] | None = None,
    ) -> None:
        """`named`: the breakers that metrics know by name; None: all there are."""
        self.clock = clock
        self.wall = wall
        self.random = random or SystemRandom()
        self.listen = listen
        self.named = named
        self.lock = threading.Lock()

    def label_of(self, name: str) -> str:
        """How metrics call a breaker: what once was a label is one for ever, and runs may name
        ever new nodes.
        """
        return name if self.named is None or name in self.named else OTHER


class _Shut:
    """Until when nobody passes, come what may."""

    __slots__ = ("is_forced", "rejected", "until")

    def __init__(self, until: float, *, is_forced: bool) -> None:
        self.until = until
        self.is_forced = is_forced
        self.rejected = 0


class Machine:
    """Methods here expect the lock to be held, except where they say that they take it."""

    __slots__ = (
        "_around",
        "_clock",
        "_config",
        "_hold",
        "_made_at",
        "_pass",
        "_record",
        "_shut",
        "_state",
        "_window",
        "name",
    )

    def __init__(self, name: str, config: BreakerConfig, around: Surroundings) -> None:
        self.name = name
        self._made_at = around.wall()
        self._around = around
        self._clock = around.clock
        self._config = config
        self._window: Window = WINDOWS[config.window](config)
        self._record: Record | None = None
        self._hold: Hold | None = None
        self._state: Closed | Open | HalfOpen = _FRESH
        # Derived by `_arrange` whenever what they rest on changes:
        # handed to whoever asks while the breaker is closed and no override forces it or ends;
        self._pass: Window | None = None
        # nobody passes, and nothing can change by itself, for a while.
        self._shut: _Shut | None = None
        self._arrange(around.clock())

    def _enter(self, now: float) -> Permit:
        """Takes the lock. Finds a permit where there is not simply one for everybody."""
        shut = self._shut
        if shut is not None and now < shut.until:
            shut.rejected += 1
            raise Rejected(self.name, shut.until - now, shut.is_forced)
        with self._around.lock:
            self._advance(now)
            permit = self._choose(now)
            if permit is None:
                self._recorded().rejected += 1
                shut = self._shut
        self._tell()
        if permit is not None:
            return permit
        if shut is not None:
            raise Rejected(self.name, shut.until - now, shut.is_forced)
        raise Rejected(self.name, FOREVER, False)

    def _choose(self, now: float) -> Permit | None:
        mode, state = self._mode, self._state
        if mode == State.DISABLED:
            return UNSEEN
        if mode == State.FORCED_OPEN:
            return None
        permit: Permit | None = None
        if isinstance(state, Closed):
            permit = self._window
        elif isinstance(state, HalfOpen):
            permit = state.admit(now, self._config)
        return BYSTANDER if permit is None and mode else permit

    def _settle(
        self, permit: Permit, error: BaseException | None, duration_s: float, now: float
    ) -> None:
        """Takes the lock."""
        if permit is UNSEEN:
            return
        if error is not None and not isinstance(error, Exception):
            permit.cancel()  # cancelled, or the process ends: nobody is to blame
            return
        is_slow = duration_s >= self._config.slow_s
        window = self._window
        if permit is window and error is None and not is_slow and window.ends > NEVER:
            with self._around.lock:
                if window.ends > NEVER:  # all is still well: only count in what was noted
                    window.record(failed=False, slow=False, duration_s=duration_s, now=now)
                    window.ends = window.may_open_until
                    return
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
        if isinstance(permit, Probe):
            is_current = permit.half_open is state
        else:
            is_current = permit is window and isinstance(state, Closed)
        is_counted = is_current or permit is BYSTANDER
        if outcome is not Outcome.SUCCESS or not is_counted:
            self._recorded().count(outcome)  # else the window counts it
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
            self._open_window(counts)

    @property
    def _mode(self) -> str:
        """What is asked of the breaker, "" for nothing but its job."""
        hold = self._hold
        return (hold.mode if hold is not None else "") or _BY_USE[self._config.use]

    @property
    def _in_force(self) -> State:
        mode = self._mode
        return State(mode) if mode else self._state.state

    def _recorded(self) -> Record:
        if self._record is None:
            self._record = Record()
        return self._record

    @property
    def _rejected(self) -> int:
        """Since the start."""
        record, shut = self._record, self._shut
        return (record.rejected if record else 0) + (shut.rejected if shut else 0)

    def _tally(self) -> None:
        """Brings the metrics up to date."""
        label = self._around.label_of(self.name)
        count_calls(label, Outcome.SUCCESS.value, self._window.take_good())
        if rejected := self._rejected:
            record = self._recorded()
            count_calls(label, "rejected", rejected - record.rejected_tallied)
            record.rejected_tallied = rejected
        if self._record is not None:
            for outcome, calls in self._record.take_counts().items():
                count_calls(label, outcome.value, calls)

    def _renew_window(self) -> None:
        old, self._window = self._window, WINDOWS[self._config.window](self._config)
        old.ends = NEVER
        label = self._around.label_of(self.name)
        count_calls(label, Outcome.SUCCESS.value, old.take_good())

    def _advance(self, now: float) -> None:
        """Does what was due by now: the ends of an override, and what time does to the state."""
        while (hold := self._hold) is not None and now >= hold.ends:
            self._end_due(hold, now)
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

    def _hold_to(self, override: Override | None, now: float, cause: str) -> None:
        before = self._in_force
        base = self._hold.base if self._hold is not None else self._config
        if override is None or override.is_empty:
            self._hold = None
            self._follow(base)
        else:
            self._hold = Hold(override, base, now)
            self._follow(self._hold.config())
        self._changed(before, cause, now, now)
        self._arrange(now)

    def _end_due(self, hold: Hold, now: float) -> None:
        before, at = self._in_force, hold.ends
        hold.end_due()
        if hold.is_empty:
            self._hold = None
        self._follow(hold.config())
        self._changed(before, "the override ended", now, at)
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
        mode, state, window = self._mode, self._state, self._window
        hold = self._hold
        if mode == State.FORCED_OPEN:
            # Settings that end before it let nobody pass: that is done whenever somebody looks.
            self._shut_to(hold.mode_until if hold else FOREVER, is_forced=True)
        elif not mode and isinstance(state, Open):
            self._shut_to(state.until, is_forced=False)
        else:
            self._shut_to(NEVER, is_forced=False)
        # Under an override that ends, whoever asks must look at the clock.
        is_free = not mode and isinstance(state, Closed) and (hold is None or hold.ends == FOREVER)
        self._pass = window if is_free else None
        window.slow_s = self._config.slow_s
        self._open_window(window.counts(now))

    def _open_window(self, counts: Counts) -> None:
        """With bad calls in the window each good one may change a share, and is looked at."""
        window = self._window
        is_clean = not (window.run or counts.failures or counts.slow)
        may_open = self._pass is not None and is_clean
        window.ends = window.may_open_until if may_open else NEVER

    def _shut_to(self, until: float, *, is_forced: bool) -> None:
        shut = self._shut
        if shut is not None and (shut.until, shut.is_forced) == (until, is_forced):
            return
        if shut is not None and shut.rejected:
            # Never taken back to 0: the path of a call adds to it without a lock.
            self._recorded().rejected += shut.rejected
        self._shut = None if until == NEVER else _Shut(until, is_forced=is_forced)

    @property
    def _shut_for(self) -> float:
        """The end of being shut, by the clock; `NEVER` where it is not."""
        return NEVER if self._shut is None else self._shut.until

    def _tell(self) -> None:
        """Takes the lock only where there is something to tell: each change once, when complete."""
        record = self._record
        if record is None or not record.has_untold:
            return
        with self._around.lock:
            changes, listen = record.take_untold(), self._around.listen
        for change in changes:
            count_transition(self._around.label_of(self.name), change)
            if listen is not None:
                try:
                    listen(change)
                except Exception:  # noqa: BLE001 - a listener's fault is not the call's
                    _log.exception("a listener of breaker %s failed", self.name)
