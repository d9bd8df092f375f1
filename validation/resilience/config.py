"""What a breaker goes by: its configuration, what operators may set, and within which bounds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, Self

from validation.resilience.states import FORCED
from validation.resilience.window import WINDOWS

USES: Final = ("on", "metrics_only", "off")


class Threshold(NamedTuple):
    """One setting of `BreakerConfig` that an operator may change, with inclusive bounds."""

    kind: type[int] | type[float]
    low: float
    high: float
    unit: str
    text: str

    def refusal(self, name: str, value: object) -> str | None:
        """Why the value cannot be taken, for a person to read; None: it can."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{name}: must be a number, not {value!r}"
        if not self.low <= value <= self.high:  # NaN is within no bounds
            return f"{name}: must be from {self.low:g} to {self.high:g} {self.unit}, not {value:g}"
        if self.kind is int and value != int(value):
            return f"{name}: must be a whole number, not {value:g}"
        return None


THRESHOLDS: Final[dict[str, Threshold]] = {
        "failure_rate": Threshold(
            float, 0.01, 1, "of 1", "opens when this share of the window's calls failed"
        ),
        "slow_rate": Threshold(
            float, 0.01, 1, "of 1", "opens when this share of the window's calls was slow"
        ),
        "slow_s": Threshold(float, 0.001, 300, "s", "a call that takes at least this is slow"),
        "min_calls": Threshold(
            int, 1, 10_000, "calls", "the window must hold as many before its shares count"
        ),
        "consecutive_failures": Threshold(
            int, 0, 10_000, "calls", "opens when as many fail in a row; 0: never"
        ),
        "window_s": Threshold(
            float, 1, 3600, "s", "how long a call counts; changing it empties the window"
        ),
        "window_size": Threshold(
            int, 1, 10_000, "calls", "calls in a window by count; changing it empties the window"
        ),
        "open_s": Threshold(float, 0.1, 3600, "s", "how long it stays open, the first time"),
        "open_max_s": Threshold(
            float, 0.1, 3600, "s", "and at most, as that time doubles with each trip; before jitter"
        ),
        "half_open_calls": Threshold(
            int, 1, 1000, "calls", "probes that must succeed before it closes"
        ),
        "half_open_max_s": Threshold(
            float, 0.1, 3600, "s", "opens again when a probe has not come back within this"
        ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerConfig:
    """Raises ValueError naming the field and the value that cannot be."""

    window: str = "time"
    window_s: float = 30.0
    buckets: int = 10
    window_size: int = 100
    min_calls: int = 10
    failure_rate: float = 0.5
    slow_rate: float = 1.0
    slow_s: float = 5.0
    consecutive_failures: int = 5
    open_s: float = 5.0
    open_max_s: float = 60.0
    open_growth: float = 2.0
    jitter: float = 0.2
    # Closed for as long, earlier trips are forgotten and the open time starts anew.
    calm_s: float = 60.0
    half_open_calls: int = 2
    half_open_max_s: float = 30.0
    use: str = "on"

    def __post_init__(self) -> None:
        for name, threshold in THRESHOLDS.items():
            if refusal := threshold.refusal(name, getattr(self, name)):
                raise ValueError(refusal)
        if self.window not in WINDOWS:
            raise ValueError(f"window: must be one of {', '.join(WINDOWS)}, not {self.window!r}")
        if self.use not in USES:
            raise ValueError(f"use: must be one of {', '.join(USES)}, not {self.use!r}")
        if not 1 <= self.buckets <= 1000:  # noqa: PLR2004 - more would cost more than a list
            raise ValueError(f"buckets: must be from 1 to 1000, not {self.buckets}")
        if not 0 <= self.jitter < 1:
            raise ValueError(f"jitter: must be from 0 to below 1, not {self.jitter}")
        if not self.open_growth >= 1:
            raise ValueError(f"open_growth: must be at least 1, not {self.open_growth}")
        if not self.calm_s >= 0:
            raise ValueError(f"calm_s: must not be below 0, not {self.calm_s}")

    def tuned(self, settings: Mapping[str, float]) -> Self:
        """With an operator's settings; raises ValueError for an unknown name or a value out of
        bounds. Open times are kept in their order: an `open_s` above `open_max_s` lifts it.
        """
        if unknown := sorted(set(settings) - set(THRESHOLDS)):
            raise ValueError(
                f"settings: {unknown[0]!r} is not one of {', '.join(sorted(THRESHOLDS))}"
            )
        for name, value in settings.items():
            if refusal := THRESHOLDS[name].refusal(name, value):
                raise ValueError(refusal)
        kinds: dict[str, Any] = {name: THRESHOLDS[name].kind(settings[name]) for name in settings}
        return replace(self, **kinds)

    def thresholds(self) -> dict[str, float]:
        """What an operator may set, as it is, by name."""
        return {name: float(getattr(self, name)) for name in THRESHOLDS}

    def has_same_window(self, other: "BreakerConfig") -> bool:
        names = ("window", "window_s", "buckets", "window_size")
        return all(getattr(self, name) == getattr(other, name) for name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What an operator wants of a breaker: `mode`, or "" to leave it to itself, and `settings`
    over `lasting` ones. The first two end each after its own seconds; None lasts. Raises
    ValueError naming the field that cannot be.
    """

    mode: str = ""
    mode_for_s: float | None = None
    settings: Mapping[str, float] = field(default_factory=dict)
    settings_for_s: float | None = None
    lasting: Mapping[str, float] = field(default_factory=dict)
    revision: int = 0

    def __post_init__(self) -> None:
        if self.mode and self.mode not in FORCED:
            raise ValueError(f"mode: must be '' or one of {', '.join(FORCED)}, not {self.mode!r}")
        for name in ("mode_for_s", "settings_for_s"):
            for_s = getattr(self, name)
            if for_s is not None and not math.isfinite(for_s):
                raise ValueError(f"{name}: must be finite, not {for_s}")
        BreakerConfig().tuned({**self.lasting, **self.settings})
        BreakerConfig().tuned(self.lasting)

    @property
    def is_empty(self) -> bool:
        return not (self.mode or self.settings or self.lasting)

    def after(self, seconds: float) -> Self:
        """What is left of it then."""
        mode_for_s, is_forced = _less(self.mode_for_s, seconds)
        settings_for_s, is_tuned = _less(self.settings_for_s, seconds)
        return replace(
            self,
            mode=self.mode if is_forced else "",
            mode_for_s=mode_for_s,
            settings=self.settings if is_tuned else {},
            settings_for_s=settings_for_s,
        )


def _less(for_s: float | None, seconds: float) -> tuple[float | None, bool]:
    """What is left of a time, and whether anything is."""
    if for_s is None:
        return None, True
    left = for_s - seconds
    return (left, True) if left > 0 else (None, False)
