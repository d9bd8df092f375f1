"""The breakers of one process, made at first use by the configuration that their name calls for."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from random import Random

from validation.resilience.breaker import Breaker
from validation.resilience.config import BreakerConfig, Override
from validation.resilience.machine import Listener, Surroundings
from validation.resilience.reports import Report


class Breakers:
    """`configs` by prefix of the name; the longest that fits counts, "" fits all. Metrics know
    those that are `named` by name, and the others together. Any thread.
    """

    def __init__(
        self,
        configs: Mapping[str, BreakerConfig] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        random: Random | None = None,
        listen: Listener | None = None,
        named: Collection[str] | None = None,
    ) -> None:
        self._configs = dict(configs or {})
        self._use: str | None = None
        self._window: str | None = None
        self._around = Surroundings(
            clock=clock, wall=wall, random=random, listen=listen, named=named
        )
        self._breakers: dict[str, Breaker] = {}
        # What to obey, also by breakers made later, and since when.
        self._overrides: dict[str, tuple[Override, float]] = {}

    def get(self, name: str) -> Breaker:
        breaker = self._breakers.get(name)
        return breaker if breaker is not None else self._make(name)

    def all(self) -> tuple[Breaker, ...]:
        """By name."""
        with self._around.lock:
            return tuple(breaker for _, breaker in sorted(self._breakers.items()))

    def reports(self) -> tuple[Report, ...]:
        return tuple(breaker.report() for breaker in self.all())

    def tally(self) -> None:
        """Brings the metrics up to date, before they are read."""
        for breaker in self.all():
            breaker.tally()

    def apply(self, name: str, override: Override | None) -> None:
        """Overrides the breaker, now or when it is first used; None clears."""
        with self._around.lock:
            known = self._overrides.get(name)
            if override is None:
                self._overrides.pop(name, None)
            elif known is None or override.revision >= known[0].revision:
                self._overrides[name] = (override, self._around.clock())
            breaker = self._breakers.get(name)
        if breaker is not None:
            breaker.override(override)

    def reset(self, name: str) -> None:
        """Nothing to do for a breaker that was never used: it is fresh."""
        if (breaker := self._breakers.get(name)) is not None:
            breaker.reset()

    def configure(self, configs: Mapping[str, BreakerConfig]) -> None:
        """Other configurations by prefix, for the breakers there are and those to come."""
        self._configs = dict(configs)
        for breaker in self.all():
            breaker.configure(self._config_of(breaker.name))

    @property
    def use(self) -> str | None:
        """What all of them are used for; None: what each one's configuration says."""
        return self._use

    @property
    def window(self) -> str | None:
        """As `use`, of where their calls are counted."""
        return self._window

    def set_use(self, use: str) -> None:
        """One of `USES` for all, from now on, in the states that they are in. What operators want
        of a breaker goes before it.
        """
        BreakerConfig(use=use)  # refuses an unknown name here
        self._use = use
        self.configure(self._configs)

    def set_window(self, window: str) -> None:
        """One of `WINDOWS` for all, from now on: where that is another, it begins empty."""
        BreakerConfig(window=window)
        self._window = window
        self.configure(self._configs)

    def discard(self, name: str) -> None:
        """Forgets a breaker that nobody asks any more; what operators want of it stays known."""
        with self._around.lock:
            breaker = self._breakers.pop(name, None)
        if breaker is not None:
            breaker.destroy()

    def destroy(self) -> None:
        """Nothing is left: no breaker, no override, no listener."""
        with self._around.lock:
            breakers = tuple(self._breakers.values())
            self._breakers.clear()
            self._overrides.clear()
            self._around.listen = None
        for breaker in breakers:
            breaker.destroy()

    def _make(self, name: str) -> Breaker:
        config = self._config_of(name)
        breaker = Breaker(name, config, around=self._around)
        with self._around.lock:
            made = self._breakers.setdefault(name, breaker)
            known = self._overrides.get(name) if made is breaker else None
        if (now := self._config_of(name)) != config:  # another thread configured meanwhile
            made.configure(now)
        if known is not None:
            override, since = known
            made.override(override.after(self._around.clock() - since))
        return made

    def _config_of(self, name: str) -> BreakerConfig:
        fitting = [prefix for prefix in self._configs if name.startswith(prefix)]
        config = self._configs[max(fitting, key=len)] if fitting else BreakerConfig()
        return replace(
            config,
            use=self._use or config.use,
            window=self._window or config.window,
        )
