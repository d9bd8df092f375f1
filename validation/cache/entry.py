"""One entry of L1."""

from typing import Any

import msgspec


class Entry(msgspec.Struct, kw_only=True, gc=False):
    """What a fetch gave, decoded and shared by everybody who asks: `value` must be immutable.

    Not tracked by the garbage collector, which would walk ten thousand of them for nothing: a
    value must not lead back to its entry.
    """

    value: Any
    size: int
    """Bytes of the raw answers."""
    created: float
    """The moment before the node was asked, by the cache server's clock."""
    expires_at: float
    """By the clock of L1, as `stale_at`: never given out from then on."""
    stale_at: float = 0.0
    refresh_at: float = 0.0
    """From then on a look-up has it asked for again, by the clock of L1."""
    tags: tuple[str, ...] = ()
    negative: bool = False
    node: str = ""
    asked_at: float = 0.0
    """When the node was asked, by the clock of L1."""
    uses: int = 0
    """Hits since a policy last looked. Its own affair."""
