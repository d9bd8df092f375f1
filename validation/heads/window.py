"""The newest blocks of the chain as this process knows it, without a gap: what links to what."""

from collections.abc import Sequence

from validation.heads.headers import Head
from validation.validators.outcome import BlockRef


class Window:
    """At most `kept` blocks, from `lowest` to `head`. Empty until `start`."""

    def __init__(self, *, kept: int) -> None:
        self._kept = kept
        self._blocks: dict[int, Head] = {}
        self._top = self._bottom = 0

    def __len__(self) -> int:
        return len(self._blocks)

    @property
    def head(self) -> Head | None:
        return self._blocks.get(self._top)

    @property
    def lowest(self) -> Head | None:
        return self._blocks.get(self._bottom)

    def at(self, number: int) -> Head | None:
        return self._blocks.get(number)

    def holds(self, block: BlockRef) -> bool | None:
        """Whether it is the one at its number; None where the window does not reach it."""
        held = self._blocks.get(block.number)
        return None if held is None else held.hash == block.hash

    def newest_first(self, count: int) -> list[Head]:
        numbers = range(self._top, max(self._top - count, self._bottom - 1), -1)
        return [self._blocks[number] for number in numbers]

    def start(self, head: Head) -> None:
        self._blocks = {head.number: head}
        self._top = self._bottom = head.number

    def adopt(self, branch: Sequence[Head]) -> tuple[BlockRef, ...]:
        """Makes `branch`, from the new head down, the chain's end; returns what it replaced, the
        deepest first. The last of it links to a block held here, or to one below all of them.
        """
        first = branch[-1].number
        replaced = [self._blocks.pop(n) for n in range(max(first, self._bottom), self._top + 1)]
        self._blocks.update((block.number, block) for block in branch)
        self._top = branch[0].number
        if len(self._blocks) == len(branch):
            self._bottom = first
        self._trim()
        return tuple(block.ref for block in replaced)

    def deepen(self, below: dict[int, Head]) -> None:
        """Adds at the bottom what links to it; the rest of `below` is left out."""
        while (lowest := self.lowest) is not None and len(self) < self._kept:
            parent = below.get(lowest.number - 1)
            if parent is None or parent.hash != lowest.parent:
                return
            self._blocks[parent.number] = parent
            self._bottom = parent.number

    def _trim(self) -> None:
        while len(self._blocks) > self._kept:
            del self._blocks[self._bottom]
            self._bottom += 1
