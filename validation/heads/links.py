"""How a new head links to the blocks that were known, and what to do where it cannot be linked."""

from validation.heads.headers import AT_ONCE, Dubious, Head, Headers
from validation.heads.window import Window
from validation.validators.outcome import BlockRef

_WALK_MOST = 64
"""Parents asked for one by one: more only where a node's answers by number do not link."""


async def branch_to(head: Head, window: Window, headers: Headers) -> list[Head]:
    """From `head` down to the child of a block of `window`, or to the last above its depth.

    Every block is the parent that the one before it names. Raises Dubious where none links.
    """
    newest, lowest = window.head, window.lowest
    assert newest is not None  # noqa: S101 - an empty window is started, not linked to
    assert lowest is not None  # noqa: S101 - as above
    branch, ahead, step, walked = [head], dict[int, Head](), 1, 0
    while True:
        child = branch[-1]
        below = BlockRef(number=child.number - 1, hash=child.parent)
        if below.number < lowest.number or window.holds(below):
            return branch
        if below.number not in ahead:
            # As many as are missing; below the old head nobody knows how many: ever more.
            step = min(AT_ONCE, max(below.number - newest.number, step))
            first = max(lowest.number, below.number - step + 1)
            ahead = await headers.by_number(range(first, below.number + 1))
            step *= 2
        parent = ahead.get(below.number)
        if parent is None or parent.hash != below.hash:
            # The chain changed between two answers, or they came from two nodes.
            walked += 1
            if walked > _WALK_MOST:
                raise Dubious(f"block {head.number} does not link to what was known")
            parent = await headers.by_hash(below)
        branch.append(parent)


async def changed_since(window: Window, headers: Headers) -> tuple[BlockRef, ...]:
    """Blocks of `window` that its numbers do not lead to any more: where a gap is too wide to link.

    The deepest first; of the newest alone, as many as one round trip can compare.
    """
    known = window.newest_first(AT_ONCE)
    now = await headers.by_number(block.number for block in known)
    gone = [b.ref for b in known if b.number in now and now[b.number].hash != b.hash]
    return tuple(reversed(gone))
