"""Who of the fleet asks a node that is down whether it is back: one process an interval.

Enters: the label of a node. Leaves: whose turn it is. The fleet holds a turn that expires with the
interval; it is a hint. Where the fleet is away each process asks by itself.
"""

from enum import Enum

from validation.rpc.seams import Fleet, FleetAway

_ASKING = b"asking"
_UP = b"up"


class Turn(Enum):
    MINE = "mine"
    OTHERS = "others"
    """Another process asks in this interval."""
    UP = "up"
    """Another process asked in this interval, and was answered."""


class ProbeTurns:
    """`fleet` None: a process of its own."""

    def __init__(self, fleet: Fleet | None = None, *, every_s: float = 2.0) -> None:
        self.every_s = every_s
        self._fleet = fleet

    async def take(self, label: str) -> Turn:
        if self._fleet is None:
            return Turn.MINE
        try:
            said = await self._fleet.claim(label, _ASKING, self.every_s)
        except FleetAway:
            return Turn.MINE
        if said is None:
            return Turn.MINE
        return Turn.UP if said == _UP else Turn.OTHERS

    async def tell_up(self, label: str) -> None:
        """Lets the others know, for one interval."""
        if self._fleet is None:
            return
        try:
            await self._fleet.tell(label, _UP, self.every_s)
        except FleetAway:
            return  # the others will find out by themselves
