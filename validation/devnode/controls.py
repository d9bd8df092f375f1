"""What can be set on a running node, and what it counts."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import msgspec

from validation.devnode.errors import BadSetting
from validation.devnode.lies import LIES


def _number(wanted: str, most: float) -> Callable[[str, object], float]:
    def read(name: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadSetting(name, value, wanted)
        if not (math.isfinite(value) and 0 <= value <= most):
            raise BadSetting(name, value, wanted)
        return value

    return read


def _lie(name: str, value: object) -> str | None:
    if value in (None, ""):
        return None
    if isinstance(value, str) and value in LIES:
        return value
    raise BadSetting(name, value, "one of the lies that `devnode --list-lies` names, or null")


_milliseconds = _number("milliseconds from 0 to 600000", 600_000)
_share = _number("a share from 0 to 1", 1)
_rate = _number("requests a second from 0 (no limit) to 1000000", 1_000_000)

_READERS: Mapping[str, Callable[[str, object], Any]] = {
    "latency_ms": _milliseconds,
    "jitter_ms": _milliseconds,
    "error_rate": _share,
    "timeout_rate": _share,
    "rate_limit": _rate,
    "lie": _lie,
}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """`latency_ms` and up to `jitter_ms` more before each reply; `error_rate` of the calls fail;
    `timeout_rate` of the requests are never answered; `rate_limit` requests a second, 0 for any
    number; `lie` names what is told instead of the truth.
    """

    latency_ms: float = 0
    jitter_ms: float = 0
    error_rate: float = 0
    timeout_rate: float = 0
    rate_limit: float = 0
    lie: str | None = None

    def changed(self, wanted: Mapping[str, object]) -> Self:
        """BadSetting where a name or value is not known; then nothing is changed."""
        values = {}
        for name, value in wanted.items():
            if name not in _READERS:
                raise BadSetting(name, value, f"left out: the settings are {', '.join(_READERS)}")
            values[name] = _READERS[name](name, value)
        return msgspec.structs.replace(self, **values)

    @property
    def plain(self) -> bool:
        return self == _PLAIN


_PLAIN = Settings()


class Counters(msgspec.Struct, kw_only=True):
    """Since the start. Calls are JSON-RPC calls, requests are HTTP's."""

    requests: int = 0
    calls: int = 0
    calls_in_flight: int = 0
    max_calls_in_flight: int = 0
    errors_injected: int = 0
    timeouts_injected: int = 0
    rate_limited: int = 0
    lies_told: int = 0

    def enter(self, calls: int) -> None:
        self.calls += calls
        self.calls_in_flight += calls
        self.max_calls_in_flight = max(self.max_calls_in_flight, self.calls_in_flight)

    def leave(self, calls: int) -> None:
        self.calls_in_flight -= calls


@dataclass(slots=True, kw_only=True)
class Controls:
    """Shared by the app and whoever runs it; only the app's own loop writes it."""

    settings: Settings = field(default_factory=Settings)
    counters: Counters = field(default_factory=Counters)
