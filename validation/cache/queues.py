"""Policies that queue in deques, at half the price of an OrderedDict: FIFO, SIEVE and S3-FIFO.

A key that L1 drops while it stands in the middle of a queue is left there until it is passed, once,
or until more keys are of that kind than not and all are taken out together.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from validation.cache.entry import Entry

_MOST_USES: Final = 3
_PROVEN: Final = 2
_MOST_STEPS: Final = 64
"""Second chances at one eviction, so that it costs the same however hot all entries are."""


class _Dropped:
    """Keys that stand in a queue although L1 has dropped them."""

    def __init__(self, entries: Mapping[bytes, Entry]) -> None:
        self._entries = entries
        self._dropped: set[bytes] = set()

    def forget(self, key: bytes) -> None:
        self._dropped.add(key)
        if len(self._dropped) > len(self._entries):
            self._tidy()
            self._dropped.clear()

    def _tidy(self) -> None:
        """Takes them all out of the queues."""
        raise NotImplementedError

    def _living(self, queue: deque[bytes]) -> deque[bytes]:
        return deque(filter(self._entries.__contains__, queue))


class Fifo(_Dropped):
    """The baseline: whoever came first goes first, used or not."""

    touch: Callable[[bytes], None] | None = None

    def __init__(self, entries: Mapping[bytes, Entry]) -> None:
        super().__init__(entries)
        self._queue: deque[bytes] = deque()

    def admit(self, key: bytes) -> None:
        if key in self._dropped:
            self._dropped.remove(key)
        else:
            self._queue.append(key)

    def victim(self) -> bytes:
        while True:
            key = self._queue.popleft()
            if key in self._entries:
                return key
            self._dropped.remove(key)

    def _tidy(self) -> None:
        self._queue = self._living(self._queue)

    def keys(self) -> Iterator[bytes]:
        return iter(self._living(self._queue))

    def resize(self, max_entries: int) -> None:
        """One queue has no shares to adjust."""


class Sieve(_Dropped):
    """SIEVE (NSDI '24): a hand goes from old to new and spares what was used since it last passed.

    The hand stands between two queues: `_ahead` it has still to look at, `_passed` it has spared.
    """

    touch: Callable[[bytes], None] | None = None

    def __init__(self, entries: Mapping[bytes, Entry]) -> None:
        super().__init__(entries)
        self._ahead: deque[bytes] = deque()
        self._passed: deque[bytes] = deque()

    def admit(self, key: bytes) -> None:
        if key in self._dropped:
            self._dropped.remove(key)
        else:
            self._ahead.append(key)

    def victim(self) -> bytes:
        spared = 0
        while True:
            if not self._ahead:
                self._ahead, self._passed = self._passed, self._ahead
            key = self._ahead.popleft()
            entry = self._entries.get(key)
            if entry is None:
                self._dropped.remove(key)
            elif not entry.uses or spared >= _MOST_STEPS:
                return key
            else:
                spared += 1
                entry.uses = 0
                self._passed.append(key)

    def _tidy(self) -> None:
        self._ahead, self._passed = self._living(self._ahead), self._living(self._passed)

    def keys(self) -> Iterator[bytes]:
        return iter(self._living(self._ahead + self._passed))

    def resize(self, max_entries: int) -> None:
        """The hand needs to know no bound."""


class S3Fifo(_Dropped):
    """S3-FIFO (SOSP '23): new keys prove themselves in a small queue before they may push out what
    the main one holds; a key that comes back soon after it was sent away has proved itself.
    """

    touch: Callable[[bytes], None] | None = None

    def __init__(self, entries: Mapping[bytes, Entry]) -> None:
        super().__init__(entries)
        self._small: deque[bytes] = deque()
        self._main: deque[bytes] = deque()
        # Keys sent away, remembered in two halves: letting the older one go is all the clean-up.
        self._gone: set[bytes] = set()
        self._gone_before: set[bytes] = set()
        self._half = 1

    def admit(self, key: bytes) -> None:
        if key in self._dropped:
            self._dropped.remove(key)
        elif key in self._gone or key in self._gone_before:
            self._main.append(key)
        else:
            self._small.append(key)

    def victim(self) -> bytes:
        small, main, entries = self._small, self._main, self._entries
        spared = 0
        while True:
            if len(small) * 9 < len(main) or not small:
                key = main.popleft()
                entry = entries.get(key)
                if entry is not None:
                    if not entry.uses or spared >= _MOST_STEPS:
                        return key
                    entry.uses = min(entry.uses, _MOST_USES) - 1
            else:
                key = small.popleft()
                entry = entries.get(key)
                if entry is not None:
                    if entry.uses < _PROVEN or spared >= _MOST_STEPS:
                        self._gone.add(key)
                        if len(self._gone) > self._half:
                            self._gone, self._gone_before = set(), self._gone
                        return key
                    entry.uses = 0
            if entry is None:
                self._dropped.remove(key)
            else:
                spared += 1
                main.append(key)

    def _tidy(self) -> None:
        self._small, self._main = self._living(self._small), self._living(self._main)

    def keys(self) -> Iterator[bytes]:
        return iter(self._living(self._small + self._main))

    def resize(self, max_entries: int) -> None:
        self._half = max(1, max_entries // 2)
