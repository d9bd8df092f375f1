"""Who of the fleet asks a node that is down whether it is back: one process an interval.

Enters: the label of a node. Leaves: whose turn it is. Valkey holds a key a node that expires with
the interval; it is a hint. Where Valkey is away each process asks by itself.
"""

from enum import Enum
from typing import Any

from validation.rpc.link import AWAY, connect

_KEY = "switchyard:probe:"
_ASKING = b"asking"
_UP = b"up"


class Turn(Enum):
    MINE = "mine"
    OTHERS = "others"
    """Another process asks in this interval."""
    UP = "up"
    """Another process asked in this interval, and was answered."""


class ProbeTurns:
    """`url` None: a process without a fleet."""

    def __init__(self, url: str | None = None, *, every_s: float = 2.0) -> None:
        self.every_s = every_s
        self._client: Any = connect(url) if url else None

    async def take(self, label: str) -> Turn:
        if self._client is None:
            return Turn.MINE
        try:
            before = await self._client.set(
                _KEY + label, _ASKING, nx=True, get=True, px=int(self.every_s * 1000)
            )
        except AWAY:
            return Turn.MINE
        if before is None:
            return Turn.MINE
        return Turn.UP if before == _UP else Turn.OTHERS

    async def tell_up(self, label: str) -> None:
        """Lets the others know, for one interval."""
        if self._client is None:
            return
        try:
            await self._client.set(_KEY + label, _UP, px=int(self.every_s * 1000))
        except AWAY:
            return  # the others will find out by themselves

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()
