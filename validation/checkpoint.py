"""The block that a deployment trusts, whoever says so: level 4 links others to it."""

import re
from dataclasses import dataclass
from typing import Self

_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A block that the deployment trusts, whoever says so."""

    number: int
    hash: str
    """In lower case."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `number:hash`; ValueError says what it is not."""
        number, _, block_hash = text.partition(":")
        if not (number.isascii() and number.isdigit()) or len(number) > _MOST_DIGITS:
            raise ValueError("the number before the colon is not a block's")
        if not re.fullmatch("0x[0-9a-fA-F]{64}", block_hash):
            raise ValueError("what follows the colon is not 0x and 64 hex digits")
        return cls(int(number), block_hash.lower())
