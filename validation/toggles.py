"""One table: what each flag of a process does to the parts of the engine, and what they say then.

A variant is looked up by name in the part it belongs to; nothing here asks which one it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from validation import flags
from validation.cache import TieredCache
from validation.resilience import Breakers
from validation.rpc import RateBudgets, RpcClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What flags steer in one process. `clients` may be none, or several."""

    cache: TieredCache
    breakers: Breakers
    budgets: RateBudgets
    clients: tuple[RpcClient, ...]


class Toggle[T: (str, int)](Protocol):
    """On the loop's thread."""

    def apply(self, parts: Parts, value: T) -> None:
        """Raises ValueError for what this release does not know; nothing has changed then."""

    def in_force(self, parts: Parts) -> str:
        """What the part says of itself; "" where none is there to say it."""


@dataclass(frozen=True, slots=True)
class OfClients:
    """Of every client, those made later included."""

    set: Callable[[RpcClient, Any], None]
    read: Callable[[RpcClient], object]

    def apply(self, parts: Parts, value: Any) -> None:
        for client in parts.clients:
            self.set(client, value)

    def in_force(self, parts: Parts) -> str:
        return "; ".join(dict.fromkeys(str(self.read(client)) for client in parts.clients))


TOGGLES: Final[Mapping[str, Toggle[Any]]] = {
    flags.CONCURRENCY.key: OfClients(
        lambda client, name: client.set_limiter(name),
        lambda client: next((pool.limiter for pool in client.pools()), ""),
    ),
}
