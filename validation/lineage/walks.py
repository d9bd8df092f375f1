"""The two ways from a checkpoint: up, where the chain grows and its tip may move, and down."""

from validation.checkpoint import Checkpoint
from validation.lineage.headers import AT_ONCE, Broken, Headers, Rung, Untold

_RETREAT = 16
_ATTEMPTS = 3
"""The chain may move between two answers, and two nodes may stand at different heads."""


class _Unlinked(Exception):
    """A block names another parent than the one known below it."""

    def __init__(self, number: int, rung: Rung, below: str) -> None:
        super().__init__(
            f"block {number} names {rung.parent} as its parent, block {number - 1} is {below}"
        )
        self.number = number
        self.rung = rung
        self.below = below


def not_served(number: int) -> Untold:
    text = (
        f"the node has no block {number}, whose header is needed to link to the checkpoint;"
        " ask one that has"
    )
    return Untold("header_not_served", text, at=number)


def other_checkpoint(checkpoint: Checkpoint, rung: Rung) -> Broken:
    text = (
        f"{rung.node} says that block {checkpoint.number} is {rung.hash};"
        f" the checkpoint in settings is {checkpoint.hash}"
    )
    at, node = checkpoint.number, rung.node
    return Broken(text, at=at, node=node, computed=checkpoint.hash, claimed=rung.hash)


class Upwards:
    """Hashes from the checkpoint on; of one caller at a time."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._hashes = [checkpoint.hash]
        self._said_by = ""
        """Who said the topmost of them, where that was in this walk."""

    @property
    def top(self) -> int:
        return self._checkpoint.number + len(self._hashes) - 1

    def at(self, number: int) -> str:
        """Empty where it is not known."""
        place = number - self._checkpoint.number
        return self._hashes[place] if 0 <= place < len(self._hashes) else ""

    async def reach(self, number: int, headers: Headers) -> None:
        self._said_by = ""
        for left in reversed(range(_ATTEMPTS)):
            fresh = left < _ATTEMPTS - 1
            try:
                return await self._climb(number, headers, fresh=fresh)
            except Broken:
                if not left:
                    raise
            except _Unlinked as moved:
                if not left:
                    liar = moved.rung.node if moved.rung.node == self._said_by else None
                    raise Broken(
                        str(moved),
                        at=moved.number,
                        node=liar,
                        computed=moved.below,
                        claimed=moved.rung.parent,
                    ) from moved
                await self._retreat(headers)
        raise AssertionError

    def drop_from(self, number: int, rung: Rung) -> None:
        """`rung` stands at `number` now: what was known from there on has moved."""
        if number == self._checkpoint.number:
            raise other_checkpoint(self._checkpoint, rung)
        del self._hashes[number - self._checkpoint.number :]

    async def _climb(self, number: int, headers: Headers, *, fresh: bool) -> None:
        while self.top < number:
            numbers = range(self.top + 1, min(number, self.top + AT_ONCE) + 1)
            for at, rung in zip(numbers, await headers.at(numbers, fresh=fresh), strict=True):
                if rung is None:
                    raise not_served(at)
                if rung.parent != self._hashes[-1]:
                    raise _Unlinked(at, rung, self._hashes[-1])
                self._hashes.append(rung.hash)
                self._said_by = rung.node

    async def _retreat(self, headers: Headers) -> None:
        """Drops what is not in the chain any more, down to a block that still is."""
        first, step = self._checkpoint.number, _RETREAT
        while True:
            numbers = range(max(first, self.top - step + 1), self.top + 1)
            step = min(AT_ONCE, 4 * step)
            rungs = await headers.at(numbers, fresh=True)
            for number, rung in zip(reversed(numbers), reversed(rungs), strict=True):
                if rung is not None and rung.hash == self._hashes[-1]:
                    self._said_by = rung.node
                    return
                if number == first:
                    if rung is None:
                        raise not_served(first)
                    raise other_checkpoint(self._checkpoint, rung)
                self._hashes.pop()


class Downwards:
    """Hashes from the checkpoint down: each is the parent that the one above it names."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._hashes = [checkpoint.hash]
        self._parent = ""
        """What the lowest of them names; empty until its header was seen."""

    @property
    def bottom(self) -> int:
        return self._checkpoint.number - len(self._hashes) + 1

    def at(self, number: int) -> str:
        """Empty where it is not known."""
        place = self._checkpoint.number - number
        return self._hashes[place] if 0 <= place < len(self._hashes) else ""

    async def reach(self, number: int, headers: Headers) -> None:
        try:
            await self._descend(number, headers, fresh=False)
        except Broken:
            await self._descend(number, headers, fresh=True)

    async def _descend(self, number: int, headers: Headers, *, fresh: bool) -> None:
        while self.bottom > number:
            high = self.bottom - 1 if self._parent else self.bottom
            numbers = range(high, max(number, high - AT_ONCE + 1) - 1, -1)
            for at, rung in zip(numbers, await headers.at(numbers, fresh=fresh), strict=True):
                self._add(at, rung)

    def _add(self, number: int, rung: Rung | None) -> None:
        if rung is None:
            raise not_served(number)
        if not self._parent:
            if rung.hash != self._checkpoint.hash:
                raise other_checkpoint(self._checkpoint, rung)
        elif rung.hash != self._parent:
            text = (
                f"block {number} is {self._parent}, as the header above it names it,"
                f" {rung.node} says {rung.hash}"
            )
            raise Broken(text, at=number, node=rung.node, computed=self._parent, claimed=rung.hash)
        else:
            self._hashes.append(rung.hash)
        self._parent = rung.parent
