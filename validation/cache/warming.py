"""What is hot in the fleet, remembered in Valkey, so that a recycled worker starts warm."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

from validation.cache.hits import Want
from validation.cache.keys import BY_NAME, L2_ONLY, kind_of
from validation.cache.valkey import Wire, command

if TYPE_CHECKING:
    from validation.cache.tiered import TieredCache

_LIFE_MS: Final = 3_600_000
_MAX_KEY: Final = 512
_AT_ONCE: Final = 64


def hot_name(namespace: bytes) -> bytes:
    return namespace + b"hot"


_WARMED: Final = {name: kind for name, kind in BY_NAME.items() if kind.name not in L2_ONLY}


async def remember(wire: Wire, namespace: bytes, keys: Sequence[bytes], *, limit: int) -> None:
    """Adds a process's hot keys to the fleet's list, which keeps the `limit` named last.

    Raises CacheError where the server cannot be told.
    """
    keys = [key for key in keys if kind_of(key) in _WARMED]
    if not keys:
        return
    name = hot_name(namespace)
    now, _ = await wire.ask(command("TIME"))
    # Within one report the hottest counts as the newest.
    scored = [word for rank, key in enumerate(keys) for word in (int(now) - rank / 10_000, key)]
    wire.tell(command("ZADD", name, "GT", *scored))
    wire.tell(command("ZREMRANGEBYRANK", name, 0, -limit - 1))
    await wire.ask(command("PEXPIRE", name, _LIFE_MS))


async def warm(cache: "TieredCache", wire: Wire, namespace: bytes, *, limit: int) -> int:
    """Fills L1 with what the fleet's list names and L2 still has; how many that were.

    The list is anybody's bytes: only keys of this namespace and of known kinds are looked up.
    Raises CacheError where the list cannot be read.
    """
    found = await wire.ask(command("ZREVRANGE", hot_name(namespace), 0, limit - 1))
    wants = []
    for key in found[:limit]:
        kind = _WARMED.get(kind_of(key))
        if kind is not None and key.startswith(namespace) and len(key) <= _MAX_KEY:
            wants.append(Want(key, kind.name, kind.read))
    count = 0
    for first in range(0, len(wants), _AT_ONCE):  # others of the loop get their turns
        hits = await cache.get_many(wants[first : first + _AT_ONCE], counted=False)
        count += sum(hit is not None for hit in hits)
    return count


class Warming(Protocol):
    """How L1 begins. What is hot is remembered either way, for those who want to know it."""

    @property
    def name(self) -> str: ...

    async def fill(self, cache: "TieredCache", wire: Wire, namespace: bytes, *, limit: int) -> int:
        """As `warm`."""
        ...


class Off:
    """The baseline: a worker starts with nothing, and has it fetched as it is asked for."""

    name: Final = "off"

    async def fill(self, cache: "TieredCache", wire: Wire, namespace: bytes, *, limit: int) -> int:
        del cache, wire, namespace, limit
        return 0


class On:
    name: Final = "on"

    async def fill(self, cache: "TieredCache", wire: Wire, namespace: bytes, *, limit: int) -> int:
        return await warm(cache, wire, namespace, limit=limit)


WARMINGS: Final[dict[str, Warming]] = {each.name: each for each in (Off(), On())}
