"""L1: what this process still knows, bounded by entries and by bytes.

Every operation is the loop's: nothing here is locked. Figures may be read from any thread.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from validation.cache.entry import Entry
from validation.cache.expiry import EXPIRIES, Expiry
from validation.cache.policies import POLICIES

__all__ = ["L1", "OVERHEAD", "Entry", "Expiry", "Key", "L1Config", "L1Counters"]

OVERHEAD: Final = 400
"""Bytes that an entry takes beside its value."""

type Key = bytes
_SHARE: Final = 8
"""One entry may take so much of the bytes allowed: an eighth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class L1Config:
    policy: str = "s3fifo"
    max_entries: int = 10_000
    max_bytes: int = 64 << 20
    expiry: Expiry = "lazy"
    """When room of what has expired is given back; see `validation.cache.expiry`."""
    sweep_s: float = 60.0


@dataclass(slots=True)
class L1Counters:
    """Since the process started."""

    hits: int = 0
    misses: int = 0
    evicted: int = 0
    expired: int = 0
    dropped: int = 0
    refused: int = 0


class L1:
    def __init__(self, config: L1Config, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: dict[Key, Entry] = {}
        self._tags: dict[str, set[Key]] = {}
        self._bytes = 0
        self._hits = self._misses = 0
        self._evicted = self._expired = self._dropped = self._refused = 0
        self.policy = config.policy
        self.max_entries = config.max_entries
        self.max_bytes = config.max_bytes
        self._largest = config.max_bytes // _SHARE
        self._sweep_s = config.sweep_s
        self._expiring = EXPIRIES[config.expiry](config.sweep_s)
        self._set_order(config.policy)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: Key) -> bool:
        entry = self._entries.get(key)
        return entry is not None and entry.expires_at > self._clock()

    def __iter__(self) -> Iterator[Key]:
        """Keys, about the order in which they would go."""
        return self._order.keys()

    @property
    def bytes(self) -> int:
        return self._bytes

    @property
    def counters(self) -> L1Counters:
        return L1Counters(
            hits=self._hits,
            misses=self._misses,
            evicted=self._evicted,
            expired=self._expired,
            dropped=self._dropped,
            refused=self._refused,
        )

    def get(self, key: Key) -> Entry | None:
        entry = self._entries.get(key)
        if entry is None:
            self._misses += 1
            return None
        if entry.expires_at <= self._clock():
            self._take_out(key, entry)
            self._expired += 1
            self._misses += 1
            return None
        entry.uses += 1
        if self._touch is not None:
            self._touch(key)
        self._hits += 1
        return entry

    def put(self, key: Key, entry: Entry) -> None:
        """Keeps the entry in place of another of its key, unless it would take an eighth of all:
        then the key is gone, since what it held is out of date.
        """
        entries = self._entries
        cost = entry.size + OVERHEAD
        if key in entries and self._replaced(key, entry, cost):
            return
        if cost > self._largest:
            self._refused += 1
            return
        self._bytes += cost
        if len(entries) >= self.max_entries:
            # As `_evict` does: a call less is a tenth less.
            victim = self._victim()
            gone = entries.pop(victim)
            self._bytes -= gone.size + OVERHEAD
            self._evicted += 1
            if gone.tags:
                self._unindex(victim, gone)
        while self._bytes > self.max_bytes and entries:
            self._evict()
        entries[key] = entry
        self._admit(key)
        if entry.tags:
            self._index(key, entry)

    def drop(self, key: Key) -> bool:
        """True where there was one."""
        entry = self._entries.get(key)
        if entry is None:
            return False
        self._take_out(key, entry)
        self._dropped += 1
        return True

    def drop_tag(self, tag: str) -> int:
        """Drops what carries the tag, touching nothing else, and says how many that were."""
        keys = self._tags.get(tag)
        if keys is None:
            return 0
        found = tuple(keys)
        for key in found:
            self._take_out(key, self._entries[key])
        self._dropped += len(found)
        return len(found)

    def clear(self) -> int:
        count = len(self._entries)
        self._entries.clear()
        self._tags.clear()
        self._bytes = 0
        self._dropped += count
        self._set_order(self.policy)
        return count

    def resize(self, max_entries: int | None = None, max_bytes: int | None = None) -> None:
        """New bounds, in force at once."""
        self.max_entries = self.max_entries if max_entries is None else max_entries
        self.max_bytes = self.max_bytes if max_bytes is None else max_bytes
        self._largest = self.max_bytes // _SHARE
        self._order.resize(self.max_entries)
        while len(self._entries) > self.max_entries:
            self._evict()
        while self._bytes > self.max_bytes:
            self._evict()

    def shrink(self, share: float) -> int:
        """Lets go of all but so much of the entries and of the bytes, the order's next first; the
        bounds stay. Answers how many went.
        """
        before = len(self._entries)
        entries, size = int(before * share), int(self._bytes * share)
        while len(self._entries) > entries or self._bytes > size:
            self._evict()
        return before - len(self._entries)

    def keep_for(self, seconds: float) -> None:
        """Nothing that is here now lives longer from now; what is put later may."""
        at = self._clock() + seconds
        for entry in self._entries.values():
            entry.expires_at = min(entry.expires_at, at)

    @property
    def expiry(self) -> Expiry:
        return self._expiring.name

    def tick(self) -> None:
        """What is due beside the path of an item: have it called often."""
        self._expiring.tick(self, self._clock())

    def switch(self, policy: str) -> None:
        """Another policy over the same entries, which all stay. KeyError where none has that
        name.
        """
        if policy != self.policy:
            self._set_order(policy, tuple(self))

    def expire_by(self, name: str) -> None:
        """KeyError where no expiry has that name."""
        if name != self.expiry:
            self._expiring = EXPIRIES[name](self._sweep_s)

    def _set_order(self, policy: str, keys: Iterable[Key] = ()) -> None:
        order = POLICIES[policy](self._entries)
        order.resize(self.max_entries)
        for key in keys:
            order.admit(key)
        self.policy = policy
        self._order, self._touch = order, order.touch
        self._admit, self._victim = order.admit, order.victim

    def sweep(self) -> int:
        """Gives back the room of all that has expired, by a walk over everything."""
        now = self._clock()
        found = [(key, entry) for key, entry in self._entries.items() if entry.expires_at <= now]
        for key, entry in found:
            self._take_out(key, entry)
        self._expired += len(found)
        return len(found)

    def _replaced(self, key: Key, entry: Entry, cost: int) -> bool:
        """Whether the entry took the place of the old one; otherwise the old one is gone."""
        old = self._entries[key]
        more = entry.size - old.size
        if cost > self._largest or self._bytes + more > self.max_bytes:
            self._take_out(key, old)
            return False
        if old.tags:
            self._unindex(key, old)
        self._bytes += more
        entry.uses = old.uses
        self._entries[key] = entry
        if self._touch is not None:
            self._touch(key)
        if entry.tags:
            self._index(key, entry)
        return True

    def _evict(self) -> None:
        key = self._victim()
        entry = self._entries.pop(key)
        self._bytes -= entry.size + OVERHEAD
        self._evicted += 1
        if entry.tags:
            self._unindex(key, entry)

    def _take_out(self, key: Key, entry: Entry) -> None:
        del self._entries[key]
        self._order.forget(key)
        self._bytes -= entry.size + OVERHEAD
        if entry.tags:
            self._unindex(key, entry)

    def _index(self, key: Key, entry: Entry) -> None:
        for tag in entry.tags:
            keys = self._tags.get(tag)
            if keys is None:
                self._tags[tag] = {key}
            else:
                keys.add(key)

    def _unindex(self, key: Key, entry: Entry) -> None:
        for tag in entry.tags:
            keys = self._tags.get(tag)
            if keys is not None:  # None: the entry names a tag twice
                keys.discard(key)
                if not keys:
                    del self._tags[tag]
