"""Which tags were purged when: what makes an entry invalid without looking for it.

The table is a hash in Valkey without an expiry; each process holds a copy. An entry counts when it
was made in the table's epoch, and after the last purge of each of its tags. A table that is gone
begins a new epoch, so that nothing purged can come back with it.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

ALL: Final = "all"
"""The tag that everything bears without being told."""
MAX_TAGS: Final = 20_000
KEEP_MS: Final = 60 * 3_600_000
"""No entry lives as long: an older purge has nothing left to find."""

EPOCH: Final = b"_epoch"
REV: Final = b"_rev"
_TAG: Final = b"t:"
_MAX_REV: Final = 1 << 53
_MAX_EPOCH: Final = 64


def field_of(tag: str) -> bytes:
    """The table's field of a tag."""
    return _TAG + tag.encode()


class TagTable:
    """The copy, and the server's clock as far as it is known. Times are its epoch milliseconds."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self.epoch = ""
        """"" until a table was read: nothing that is stored counts."""
        self.rev = -1
        self._purged: dict[str, int] = {}
        # Until the server was asked, this machine's clock has to do.
        self._earliest = self._latest = (wall() - clock()) * 1000
        self.knows_clock = False

    def __len__(self) -> int:
        return len(self._purged)

    def now_ms(self) -> int:
        """The server's clock, or a little before it: when something that begins now is made."""
        return int(self._clock() * 1000 + self._earliest)

    def latest_ms(self) -> int:
        """The server's clock, or a little after it: when something is purged now."""
        return int(self._clock() * 1000 + self._latest) + 1

    def heard_clock(self, server_ms: float, *, asked_at: float, heard_at: float) -> None:
        """The server read `server_ms` at some time between the two of ours."""
        self._earliest = server_ms - heard_at * 1000
        self._latest = server_ms - asked_at * 1000
        self.knows_clock = True

    def local(self, at_ms: float) -> float:
        """A time of the server's by this process's clock."""
        return (at_ms - self._earliest) / 1000

    def is_valid(self, created_ms: float, tags: Iterable[str]) -> bool:
        """Whether nothing that an entry bears was purged since it was made."""
        purged = self._purged
        if not purged:
            return True
        if created_ms <= purged.get(ALL, -1):
            return False
        return all(created_ms > purged.get(tag, -1) for tag in tags)

    def purge(self, tag: str, at_ms: int) -> bool:
        """True where it is news."""
        if self._purged.get(tag, -1) >= at_ms:
            return False
        self._purged[tag] = at_ms
        if len(self._purged) > MAX_TAGS:
            self._shrink()
        return True

    def replace(self, fields: Mapping[bytes, bytes]) -> list[str]:
        """Takes over the server's table; answers the tags that were purged anew.

        Purges that only this process knows of stay. ValueError where it is not such a table.
        """
        epoch = fields.get(EPOCH, b"").decode("ascii")
        rev = int(fields.get(REV, b"0"))
        if not 0 <= rev < _MAX_REV or len(epoch) > _MAX_EPOCH:
            raise ValueError("nobody has counted so far, or named an epoch so")
        latest = self.latest_ms()
        theirs = {
            # A purge of the future is a clock that was wrong: it must not hold for ever.
            name[len(_TAG) :].decode(): min(int(at), latest)
            for name, at in fields.items()
            if name.startswith(_TAG)
        }
        found = [tag for tag, at in theirs.items() if self.purge(tag, at)]
        if epoch != self.epoch:
            found = [ALL]
        self.epoch, self.rev = epoch, rev
        return found

    def outlived(self) -> list[str]:
        """Tags whose purge has nothing left to find; this process forgets them."""
        oldest = self.latest_ms() - KEEP_MS
        found = [tag for tag, at in self._purged.items() if at < oldest]
        for tag in found:
            del self._purged[tag]
        return found

    def _shrink(self) -> None:
        """More tags than anybody purges by hand: from here on everything older is invalid."""
        newest = max(self._purged.values())
        self._purged = {ALL: newest}
