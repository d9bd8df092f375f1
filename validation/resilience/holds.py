"""An operator's override in force: two layers over what lasts, each ending by itself."""

from validation.resilience.config import BreakerConfig, Override
from validation.resilience.permits import FOREVER


class Hold:
    """Of an override that has begun at `now`; `base` is the configuration that it lies over."""

    __slots__ = ("_lasting", "_settings", "_settings_until", "base", "ends", "mode", "mode_until")

    def __init__(self, override: Override, base: BreakerConfig, now: float) -> None:
        self.base = base
        self.mode = override.mode
        self.mode_until = _until(override.mode_for_s, now) if override.mode else FOREVER
        self._settings = override.settings
        self._settings_until = (
            _until(override.settings_for_s, now) if override.settings else FOREVER
        )
        self._lasting = override.lasting
        # When the next of its layers does.
        self.ends = min(self.mode_until, self._settings_until)

    @property
    def is_empty(self) -> bool:
        return not (self.mode or self._settings or self._lasting)

    def config(self) -> BreakerConfig:
        """What the breaker goes by."""
        return self.base.tuned({**self._lasting, **self._settings})

    def end_due(self) -> None:
        """Ends the layer, or both, whose end is the next."""
        if self.mode_until == self.ends:
            self.mode, self.mode_until = "", FOREVER
        if self._settings_until == self.ends:
            self._settings, self._settings_until = {}, FOREVER
        self.ends = min(self.mode_until, self._settings_until)

    def forced_for_s(self, now: float) -> float | None:
        """Seconds until its mode ends; None: it has none, or one that lasts."""
        return None if self.mode_until == FOREVER else self.mode_until - now


def _until(for_s: float | None, now: float) -> float:
    return FOREVER if for_s is None else now + for_s
