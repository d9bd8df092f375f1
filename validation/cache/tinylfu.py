"""W-TinyLFU (Einziger et al., 2017): a newcomer stays if a sketch saw it more than its victim."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from validation.cache.entry import Entry
from validation.cache.sketch import Sketch

_WINDOW: Final = 100
"""One in so many entries waits in the window, where only recency counts."""
_PROTECTED: Final = 0.8
"""Share of the rest that has been used again."""

type _Queue = OrderedDict[bytes, None]


class TinyLfu:
    def __init__(self, _entries: Mapping[bytes, Entry]) -> None:
        self._window: _Queue = OrderedDict()
        self._probation: _Queue = OrderedDict()
        self._protected: _Queue = OrderedDict()
        self._protected_most = 0
        self._max_entries = 0
        self._sketch = Sketch(1)
        self.touch: Callable[[bytes], None] | None = self._touch

    def _touch(self, key: bytes) -> None:
        self._sketch.add(key)
        if key in self._protected:
            self._protected.move_to_end(key)
        elif key in self._probation:
            del self._probation[key]
            self._protected[key] = None
            if len(self._protected) > self._protected_most:
                self._probation[self._protected.popitem(last=False)[0]] = None
        else:
            self._window.move_to_end(key)

    def admit(self, key: bytes) -> None:
        self._sketch.add(key)
        window = self._window
        window[key] = None
        if len(window) * _WINDOW > self._max_entries + _WINDOW:
            self._probation[window.popitem(last=False)[0]] = None

    def forget(self, key: bytes) -> None:
        for queue in (self._protected, self._probation, self._window):
            if key in queue:
                del queue[key]
                return

    def victim(self) -> bytes:
        window = self._window
        kept = self._probation or self._protected
        if not kept:
            return window.popitem(last=False)[0]
        if len(window) * _WINDOW < self._max_entries:
            return kept.popitem(last=False)[0]
        newcomer = window.popitem(last=False)[0]
        rival = next(iter(kept))
        if self._sketch.count(newcomer) <= self._sketch.count(rival):
            return newcomer
        del kept[rival]
        self._probation[newcomer] = None
        return rival

    def keys(self) -> Iterator[bytes]:
        return iter((*self._window, *self._probation, *self._protected))

    def resize(self, max_entries: int) -> None:
        if max_entries != self._max_entries:
            self._max_entries = max_entries
            self._protected_most = int(max_entries * _PROTECTED)
            self._sketch = Sketch(max_entries)
