"""Look-ups by kind and by who answered, counted as plain numbers and told to Prometheus in bulk."""

from typing import Final, Protocol

from monitoring.instruments import CACHE_REQUESTS
from validation.cache.entry import Entry

RESULTS: Final = ("l1", "l2", "stale", "negative", "miss")


class KindCounts:
    """Each look-up counts once: what answered it. `negative` is a cached "there is none"."""

    __slots__ = RESULTS

    def __init__(self) -> None:
        self.l1 = self.l2 = self.stale = self.negative = self.miss = 0

    def as_dict(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in RESULTS}


class Kinds(dict[str, KindCounts]):
    """Counts of a kind exist from its first look-up on."""

    def __missing__(self, kind: str) -> KindCounts:
        found = self[kind] = KindCounts()
        return found


class Refusals(Protocol):
    """What L2 says of look-ups that it did not answer, and why."""

    corrupt: int
    errors: int
    skipped: int


class Counts:
    """Of one process, since it started."""

    def __init__(self) -> None:
        self.kinds = Kinds()
        self.coalesced = 0
        """Callers who got what another caller of this process, or another process, asked for."""
        self.renewed = 0
        self.warmed = 0
        """Entries that L1 was filled with before anybody asked for them."""
        self.untouched = 0
        """Of all look-ups, those that L1 was not asked for: they tell nothing of its size."""
        self.invalidated = 0
        self.negative_l2 = self.stale_l2 = 0
        """Of the kinds' `negative` and `stale`, those that L2 answered."""
        self._told: dict[tuple[str, str], int] = {}
        self._children = {
            (level, result): CACHE_REQUESTS.labels(level, result) for level, result in _LABELS
        }

    def answered_by_l2(self, kind: str, entry: Entry, now: float) -> int:
        """How many fresh answers of the kind L2 has given by now; -1 for one of another sort."""
        counts = self.kinds[kind]
        if entry.stale_at <= now:
            counts.stale += 1
            self.stale_l2 += 1
            return -1
        if entry.negative:
            counts.negative += 1
            self.negative_l2 += 1
            return -1
        counts.l2 += 1
        return counts.l2

    def lookups(self) -> int:
        """Those that L1 was asked for, whatever answered."""
        all_of_them = sum(sum(kind.as_dict().values()) for kind in list(self.kinds.values()))
        return all_of_them - self.untouched

    def tell(self, told: Refusals | None) -> None:
        """Adds what is new to the metrics. What L1 did not answer is a look-up of L2 as well, where
        there is one.
        """
        corrupt, errors, skipped = (told.corrupt, told.errors, told.skipped) if told else (0, 0, 0)
        kinds = list(self.kinds.values())
        l1 = sum(kind.l1 for kind in kinds)
        l2 = sum(kind.l2 for kind in kinds)
        stale = sum(kind.stale for kind in kinds)
        negative = sum(kind.negative for kind in kinds)
        missed = sum(kind.miss for kind in kinds)
        below = l2 + self.negative_l2 + self.stale_l2
        now = {
            ("l1", "hit"): l1,
            ("l1", "negative"): negative - self.negative_l2,
            ("l1", "stale"): stale - self.stale_l2,
            ("l1", "miss"): missed + below,
            ("l2", "hit"): l2,
            ("l2", "negative"): self.negative_l2,
            ("l2", "stale"): self.stale_l2,
            ("l2", "corrupt"): corrupt,
            ("l2", "error"): errors,
            ("l2", "skipped"): skipped,
            ("l2", "miss"): max(0, missed - corrupt - errors - skipped) if told else 0,
        }
        for label, count in now.items():
            more = count - self._told.get(label, 0)
            if more > 0:
                self._children[label].inc(more)
                self._told[label] = count


_LABELS: Final = (
    ("l1", "hit"),
    ("l1", "negative"),
    ("l1", "stale"),
    ("l1", "miss"),
    ("l2", "hit"),
    ("l2", "negative"),
    ("l2", "stale"),
    ("l2", "corrupt"),
    ("l2", "error"),
    ("l2", "skipped"),
    ("l2", "miss"),
)
