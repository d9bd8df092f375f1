"""Which entry goes when L1 is full: five policies behind one seam, chosen by name.

A policy only orders keys; `L1` owns the entries. On each hit `L1` adds one to `entry.uses`, which
is all that SIEVE and S3-FIFO want to know; a policy that wants more says so by `touch`.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final, Protocol

from validation.cache.entry import Entry

type Queue = OrderedDict[bytes, Entry]

_MOST_USES: Final = 3
_MOST_STEPS: Final = 64
"""A second chance is given to so many entries at one eviction, and then it is over: an eviction
costs the same however hot the rest is."""


class Policy(Protocol):
    @property
    def touch(self) -> Callable[[bytes, Entry], None] | None:
        """Called on each hit; None where counting uses is enough."""
        ...

    def admit(self, key: bytes, entry: Entry) -> None:
        """A key that was not there."""
        ...

    def replace(self, key: bytes, entry: Entry) -> None:
        """Another entry for a key that is there."""
        ...

    def forget(self, key: bytes) -> None:
        """A key that left for another reason than being a victim."""
        ...

    def victim(self) -> bytes:
        """Takes out the key to evict. KeyError where there is none."""
        ...

    def keys(self) -> Iterator[bytes]:
        """About the order in which they would go."""
        ...

    def resize(self, max_entries: int) -> None: ...


class Fifo:
    """The baseline: whoever came first goes first, used or not."""

    touch: Callable[[bytes, Entry], None] | None = None

    def __init__(self) -> None:
        self._queue: Queue = OrderedDict()

    def admit(self, key: bytes, entry: Entry) -> None:
        self._queue[key] = entry

    def replace(self, key: bytes, entry: Entry) -> None:
        self._queue[key] = entry

    def forget(self, key: bytes) -> None:
        del self._queue[key]

    def victim(self) -> bytes:
        return self._queue.popitem(last=False)[0]

    def keys(self) -> Iterator[bytes]:
        return iter(self._queue)

    def resize(self, max_entries: int) -> None:
        """One queue has no shares to adjust."""


class Lru(Fifo):
    """Whoever was not used for longest. One scan of new keys empties it."""

    def __init__(self) -> None:
        super().__init__()
        self.touch = self._touch

    def _touch(self, key: bytes, _entry: Entry) -> None:
        self._queue.move_to_end(key)

    def replace(self, key: bytes, entry: Entry) -> None:
        self._queue[key] = entry
        self._queue.move_to_end(key)


class Sieve:
    """SIEVE (NSDI '24): a hand goes from old to new and spares what was used since it last passed.

    The hand stands between two queues: `_ahead` it has still to look at, `_passed` it has spared.
    """

    touch: Callable[[bytes, Entry], None] | None = None

    def __init__(self) -> None:
        self._ahead: Queue = OrderedDict()
        self._passed: Queue = OrderedDict()

    def admit(self, key: bytes, entry: Entry) -> None:
        self._ahead[key] = entry

    def replace(self, key: bytes, entry: Entry) -> None:
        (self._ahead if key in self._ahead else self._passed)[key] = entry

    def forget(self, key: bytes) -> None:
        if self._ahead.pop(key, None) is None:
            del self._passed[key]

    def victim(self) -> bytes:
        steps = 0
        while True:
            if not self._ahead:
                self._ahead, self._passed = self._passed, self._ahead
            key, entry = self._ahead.popitem(last=False)
            steps += 1
            if not entry.uses or steps > _MOST_STEPS:
                return key
            entry.uses = 0
            self._passed[key] = entry

    def keys(self) -> Iterator[bytes]:
        return chain(self._ahead, self._passed)

    def resize(self, max_entries: int) -> None:
        """One queue has no shares to adjust."""


class S3Fifo:
    """S3-FIFO (SOSP '23): new keys prove themselves in a small queue before they may push out what
    the main one holds; a key that comes back soon after it was sent away has proved itself.
    """

    touch: Callable[[bytes, Entry], None] | None = None

    def __init__(self) -> None:
        self._small: Queue = OrderedDict()
        self._main: Queue = OrderedDict()
        # Keys sent away, remembered in two halves: dropping the older one is the only clean-up.
        self._gone: set[bytes] = set()
        self._gone_before: set[bytes] = set()
        self._half = 1

    def admit(self, key: bytes, entry: Entry) -> None:
        if key in self._gone or key in self._gone_before:
            self._main[key] = entry
        else:
            self._small[key] = entry

    def replace(self, key: bytes, entry: Entry) -> None:
        (self._main if key in self._main else self._small)[key] = entry

    def forget(self, key: bytes) -> None:
        if self._main.pop(key, None) is None:
            del self._small[key]

    def victim(self) -> bytes:
        small, main = self._small, self._main
        steps = 0
        while True:
            steps += 1
            if len(small) * 9 >= len(main) and small:
                key, entry = small.popitem(last=False)
                if entry.uses > 1 and steps <= _MOST_STEPS:
                    entry.uses = 0
                    main[key] = entry
                    continue
                self._remember(key)
                return key
            key, entry = main.popitem(last=False)
            uses = entry.uses
            if not uses or steps > _MOST_STEPS:
                return key
            entry.uses = min(uses, _MOST_USES) - 1
            main[key] = entry

    def _remember(self, key: bytes) -> None:
        gone = self._gone
        gone.add(key)
        if len(gone) > self._half:
            self._gone, self._gone_before = set(), gone

    def keys(self) -> Iterator[bytes]:
        return chain(self._small, self._main)

    def resize(self, max_entries: int) -> None:
        self._half = max(1, max_entries // 2)


POLICIES: Final[dict[str, Callable[[], Policy]]] = {
    "fifo": Fifo,
    "lru": Lru,
    "sieve": Sieve,
    "s3fifo": S3Fifo,
}
