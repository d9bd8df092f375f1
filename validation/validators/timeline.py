"""Where the time of one validation goes: what it asked, and each check that it made."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from validation.rpc import Span

MOST_SPANS: Final = 200
"""A bound on what is kept; no validation comes near it."""


class Timeline:
    """Kept only where a validation is to explain itself. The clock counts seconds."""

    __slots__ = ("_clock", "_last", "_origin", "spans")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._origin = self._last = clock()
        self.spans: list[Span] = []

    def now_ms(self) -> float:
        """Milliseconds since the validation began."""
        return (self._clock() - self._origin) * 1000

    def asked(self, spans: Iterable[Span], *, at_ms: float) -> None:
        """What was asked at `at_ms` has come; the next check begins now."""
        for span in spans:
            self._add(msgspec.structs.replace(span, at_ms=round(span.at_ms + at_ms, 3)))
        self.resume()

    def waited(self, spans: Sequence[Span], *, since_ms: float) -> None:
        """What somebody may have asked before `since_ms` has come: of that, what was waited for."""
        now_ms = self.now_ms()
        took_ms = max((span.at_ms + span.ms for span in spans), default=0.0)
        began_ms = min(since_ms, now_ms - took_ms)
        for span in spans:
            at_ms, end_ms = began_ms + span.at_ms, began_ms + span.at_ms + span.ms
            if end_ms < since_ms:
                continue
            name = "shared" if span.name == "attempt" and at_ms < since_ms else span.name
            at_ms = max(at_ms, since_ms)
            at, ms = round(at_ms, 3), round(end_ms - at_ms, 3)
            self._add(msgspec.structs.replace(span, name=name, at_ms=at, ms=ms))
        self.resume()

    def resume(self) -> None:
        """Somebody was waited for: the next check begins now."""
        self._last = self._clock()

    def checked(self, name: str) -> None:
        """A check has been made, in the time since the last."""
        now = self._clock()
        at_ms, ms = (self._last - self._origin) * 1000, (now - self._last) * 1000
        self._last = now
        self._add(Span(name=f"check:{name}", at_ms=round(at_ms, 3), ms=round(ms, 3)))

    def _add(self, span: Span) -> None:
        if len(self.spans) < MOST_SPANS:
            self.spans.append(span)
