"""How often keys were seen of late, about: a count-min sketch that forgets by halves."""

from typing import Final

_HALVED: Final = bytes(n // 2 for n in range(256))
_MOST: Final = 15
_COUNTERS: Final = 8
"""A row's counters for each entry of the cache."""
_SAMPLE: Final = 10
"""All counters are halved after so many sightings for each entry of the cache."""


class Sketch:
    """Two rows of counters, each key in one place of either. Never too low but for the halving."""

    __slots__ = ("_first", "_left", "_mask", "_sample", "_second", "_shift")

    def __init__(self, entries: int) -> None:
        self._shift = max(6, (entries * _COUNTERS - 1).bit_length())
        size = 1 << self._shift
        self._mask = size - 1
        self._first = bytearray(size)
        self._second = bytearray(size)
        self._sample = self._left = max(64, entries * _SAMPLE)

    def add(self, key: bytes) -> None:
        place = hash(key)
        mask = self._mask
        one, other = place & mask, (place >> self._shift) & mask
        first, second = self._first, self._second
        if first[one] <= second[other]:
            if first[one] < _MOST:
                if first[one] == second[other]:
                    second[other] += 1
                first[one] += 1
        elif second[other] < _MOST:
            second[other] += 1
        self._left -= 1
        if not self._left:
            self._halve()

    def count(self, key: bytes) -> int:
        place = hash(key)
        mask = self._mask
        return min(self._first[place & mask], self._second[(place >> self._shift) & mask])

    def _halve(self) -> None:
        self._first = self._first.translate(_HALVED)
        self._second = self._second.translate(_HALVED)
        self._left = self._sample // 2
