"""Which entry goes when L1 is full: five policies behind one seam, chosen by name.

A policy orders keys; `L1` owns the entries and lets it read them. On each hit `L1` adds one to
`entry.uses`, which is all that SIEVE and S3-FIFO want to know.

S3-FIFO is L1's default. Share of look-ups answered, of `tests.bench.bench_l1`:

                                   Belady   s3fifo  tinylfu  sieve   lru   fifo
    Zipf 1.0, 1 % of the keys        66.4     59.9     59.5   59.3  50.6   46.5
    the same with scans              44.3     40.0     38.7   39.5  31.8   29.9
    Zipf whose favourites move       61.7     50.9     48.8   44.6  49.8   46.0
    Zipf 0.8, 10 % of the keys       67.3     53.5     54.0   52.7  44.7   40.6

A set that evicts costs 1.6 times as much as SIEVE's, and 6 points more of hits are worth more.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol

from validation.cache.entry import Entry
from validation.cache.queues import Fifo, S3Fifo, Sieve
from validation.cache.tinylfu import TinyLfu


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


POLICIES: Final[dict[str, Callable[[Mapping[bytes, Entry]], Policy]]] = {
    "fifo": Fifo,
    "lru": Lru,
    "sieve": Sieve,
    "s3fifo": S3Fifo,
    "tinylfu": TinyLfu,
}
