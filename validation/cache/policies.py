"""Which entry goes when L1 is full: five policies behind one seam, chosen by name.

A policy orders keys; `L1` owns the entries and lets it read them. On each hit `L1` adds one to
`entry.uses`, which is all that SIEVE and S3-FIFO want to know: they queue in deques, at half the
price of an OrderedDict. A key dropped in the middle of a deque stands there until it is passed,
once, or until half of the keys are of that kind and they are all taken out together.

S3-FIFO is L1's default. Share of look-ups answered, of `tests.bench.bench_l1`:

                                   Belady   s3fifo  tinylfu  sieve   lru   fifo
    Zipf 1.0, 1 % of the keys        66.4     59.9     59.5   59.3  50.6   46.5
    the same with scans              44.3     40.0     38.7   39.5  31.8   29.9
    Zipf whose favourites move       61.7     50.9     48.8   44.6  49.8   46.0
    Zipf 0.8, 10 % of the keys       67.3     53.5     54.0   52.7  44.7   40.6

A set that evicts costs 1.6 times as much as SIEVE's, and 6 points more of hits are worth more.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol

from validation.cache.entry import Entry
from validation.cache.tinylfu import TinyLfu

_MOST_USES: Final = 3
_PROVEN: Final = 2
_MOST_STEPS: Final = 64
"""Second chances at one eviction, so that it costs the same however hot all entries are."""


class Policy(Protocol):
    @property
    def touch(self) -> Callable[[bytes], None] | None:
        """Called on each hit; None where counting uses is enough."""
        ...

    def admit(self, key: bytes) -> None:
        """A key that L1 did not hold."""
        ...

    def forget(self, key: bytes) -> None:
        """L1 holds the key no longer, for another reason than eviction."""
        ...

    def victim(self) -> bytes:
        """Gives up the key that is to go. Asked only while L1 holds some."""
        ...

    def keys(self) -> Iterator[bytes]:
        """About in the order in which they would go."""
        ...

    def resize(self, max_entries: int) -> None: ...


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


class Lru:
    """Whoever was not used for longest. One scan of new keys empties it."""

    def __init__(self, _entries: Mapping[bytes, Entry]) -> None:
        self._queue: OrderedDict[bytes, None] = OrderedDict()
        self.touch: Callable[[bytes], None] | None = self._queue.move_to_end

    def admit(self, key: bytes) -> None:
        self._queue[key] = None

    def forget(self, key: bytes) -> None:
        del self._queue[key]

    def victim(self) -> bytes:
        return self._queue.popitem(last=False)[0]

    def keys(self) -> Iterator[bytes]:
        return iter(tuple(self._queue))

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


POLICIES: Final[dict[str, Callable[[Mapping[bytes, Entry]], Policy]]] = {
    "fifo": Fifo,
    "lru": Lru,
    "sieve": Sieve,
    "s3fifo": S3Fifo,
    "tinylfu": TinyLfu,
}
