"""Which statements took the time lately: the difference of two readings of pg_stat_statements."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from monitoring.collectors.normal import normal
from monitoring.collectors.postgres_samples import Statement, Statements

SHOWN: Final = 20
_COUNTED = ("calls", "ms", "rows", "hit", "read", "temp")
_TEXTS: Final = 2_000

type Count = Mapping[str, float]
type Reading = Mapping[str, Count]


@dataclass(frozen=True, slots=True)
class _Kept[T]:
    at: float
    value: T


class Window[T]:
    """What was read before, so that the oldest of the last `window_s` can be compared with."""

    def __init__(self, *, window_s: float = 300.0, every_s: float = 30.0) -> None:
        self._window_s = window_s
        self._every_s = every_s
        self._kept: deque[_Kept[T]] = deque()

    def base(self, now: float, value: T) -> tuple[float, T] | None:
        """(seconds ago, value) to compare `value` with, which is kept for later; None at first."""
        while len(self._kept) > 1 and now - self._kept[0].at > self._window_s:
            self._kept.popleft()
        found = self._kept[0] if self._kept else None
        if not self._kept or now - self._kept[-1].at >= self._every_s:
            self._kept.append(_Kept(now, value))
        return (now - found.at, found.value) if found else None


class SlowStatements:
    """Keeps what was read before, and the texts of those that were shown."""

    def __init__(self) -> None:
        self._window: Window[Reading] = Window()
        self._texts: dict[str, str] = {}

    def read(
        self,
        now: float,
        counts: Reading,
        texts_of: Callable[[list[str]], Mapping[str, str]],
    ) -> Statements:
        """`texts_of` is asked for those not seen before only."""
        base = self._window.base(now, counts)
        spent = {
            key: _less(count, base[1].get(key) if base else None) for key, count in counts.items()
        }
        total_ms = sum(count["ms"] for count in spent.values())
        slowest = sorted(
            (key for key, count in spent.items() if count["calls"] > 0),
            key=lambda key: -spent[key]["ms"],
        )[:SHOWN]
        self._learn(slowest, texts_of)
        return Statements(
            window_s=base[0] if base else None,
            kinds=len(counts),
            total_ms=total_ms,
            slowest=tuple(self._statement(key, spent[key], total_ms) for key in slowest),
        )

    def _learn(
        self, ids: Iterable[str], texts_of: Callable[[list[str]], Mapping[str, str]]
    ) -> None:
        if len(self._texts) > _TEXTS:
            self._texts.clear()
        if unknown := [key for key in ids if key not in self._texts]:
            found = texts_of(unknown)
            self._texts |= {key: normal(text) for key, text in found.items()}

    def _statement(self, key: str, spent: Count, total_ms: float) -> Statement:
        blocks = spent["hit"] + spent["read"]
        return Statement(
            id=key,
            text=self._texts.get(key, "(its text is gone)"),
            calls=int(spent["calls"]),
            total_ms=spent["ms"],
            mean_ms=spent["ms"] / spent["calls"],
            share=spent["ms"] / total_ms if total_ms else 0.0,
            rows=int(spent["rows"]),
            hit_ratio=spent["hit"] / blocks if blocks else None,
            temp_blocks=int(spent["temp"]),
        )


def _less(now: Count, before: Count | None) -> Count:
    """One that counts less than before was forgotten meanwhile, and began again from nothing."""
    if before is None or now["calls"] < before["calls"]:
        return now
    return {name: max(0.0, now[name] - before[name]) for name in _COUNTED}
