"""Which keys are asked for most, by samples, in bounded memory."""


class HotKeys:
    """The keys that sampled hits named most often, in bounded memory."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seen: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def note(self, key: bytes) -> None:
        seen = self._seen
        seen[key] = seen.get(key, 0) + 1
        if len(seen) > 4 * self._limit:
            self._seen = {name: seen[name] for name in self.newest()}

    def newest(self) -> list[bytes]:
        """At most `limit`, the hottest first."""
        return sorted(self._seen, key=self._seen.__getitem__, reverse=True)[: self._limit]

    def take(self) -> list[bytes]:
        """As `newest`, and counts anew: what was hot an hour ago need not be."""
        found = self.newest()
        self._seen = {}
        return found
