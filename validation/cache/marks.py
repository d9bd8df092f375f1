"""Marks of this process in Valkey: which keys it is asking a node for, so that no other asks."""

import secrets
from collections.abc import Iterable
from typing import Final

from validation.cache.scripts import release_marks, renew_marks
from validation.cache.valkey import Wire

TOKEN_BYTES: Final = 17
_AT_ONCE: Final = 500


class Mark:
    """`name` holds `token` while its owner asks. No envelope begins as a token does."""

    __slots__ = ("name", "renew_at", "token")

    def __init__(self, name: bytes, token: bytes) -> None:
        self.name = name
        self.token = token
        self.renew_at = 0.0


def is_token(value: bytes) -> bool:
    return len(value) == TOKEN_BYTES and value[:1] == b"?"


class Marks:
    """Those that this process made: no two alike, so that none takes away another's."""

    def __init__(self, *, claim_s: float) -> None:
        self._life_ms = round(claim_s * 1000)
        self._renew_s = claim_s / 3
        self._owner = secrets.token_hex(4).encode()
        self._made = 0
        self._held: set[Mark] = set()

    def __len__(self) -> int:
        return len(self._held)

    def make(self, name: bytes) -> Mark:
        """To be written; not held yet."""
        self._made = (self._made + 1) & 0xFFFFFFFF
        return Mark(name, b"?%b%08x" % (self._owner, self._made))

    def hold(self, mark: Mark, now: float) -> Mark:
        """It was written: to be renewed until it is forgotten."""
        mark.renew_at = now + self._renew_s
        self._held.add(mark)
        return mark

    def forget(self, mark: Mark) -> bool:
        """True where it was held."""
        if mark not in self._held:
            return False
        self._held.remove(mark)
        return True

    def forget_all(self) -> list[Mark]:
        held, self._held = list(self._held), set()
        return held

    def renew(self, wire: Wire, now: float) -> None:
        """Lets those live on that would end soon. Raises CacheError."""
        due = [mark for mark in self._held if mark.renew_at <= now]
        for some in _batches(due):
            wire.tell(
                renew_marks([(mark.name, mark.token) for mark in some], life_ms=self._life_ms)
            )
            for mark in some:
                mark.renew_at = now + self._renew_s

    @staticmethod
    def take_away(wire: Wire, marks: Iterable[Mark]) -> None:
        """Removes them from Valkey where they still are. Raises CacheError."""
        for some in _batches(list(marks)):
            wire.tell(release_marks([(mark.name, mark.token) for mark in some]))


def _batches(marks: list[Mark]) -> Iterable[list[Mark]]:
    return (marks[first : first + _AT_ONCE] for first in range(0, len(marks), _AT_ONCE))
