"""What the client needs of a transport and of a fleet; tests and benches bring their own."""

from collections.abc import Callable
from typing import Protocol

from validation.rpc.connection import Response
from validation.rpc.endpoints import NodeUrl

type Gate = Callable[[], None]
"""Raises where the request must not go out after all."""


class Posts(Protocol):
    """Posts bodies to nodes. Raises RpcError only; time limits are its callers'."""

    async def post(self, node: NodeUrl, body: bytes, gate: Gate) -> Response:
        """The node's whole answer, whatever its status. Calls `gate` each time before bytes of the
        body go out, with nothing awaited between; what it raises is passed on.
        """

    def has_vouched_idle(self, node: NodeUrl) -> bool:
        """True when the next request will go out on a connection whose chain is known."""

    def drop(self, node: NodeUrl) -> None:
        """Closes the node's idle connections, so that the next request asks again who is there."""

    def forget(self, node: NodeUrl) -> None:
        """Closes the node's connections and keeps nothing of it, until it is asked again."""

    def keep(self, most: int) -> None:
        """Keeps so many connections of each node at most for what is asked next; 0: none, and each
        request says so. What is in use ends by itself.
        """

    def dialled(self, node: NodeUrl) -> int:
        """How many connections were made so far."""

    def sockets(self, node: NodeUrl) -> tuple[int, int]:
        """How many connections are in use and how many idle. Any thread may ask."""

    async def aclose(self) -> None:
        """Closes every connection."""


class FleetAway(Exception):
    """The fleet cannot be asked now: this process goes on by itself."""


class Fleet(Protocol):
    """What processes agree on. Every method raises FleetAway where it cannot be asked, soon."""

    async def take(self, label: str, per_s: float, calls: int) -> int:
        """As many of these calls as the fleet's rate for the node has left, found in halves."""

    async def claim(self, label: str, value: bytes, for_s: float) -> bytes | None:
        """None where nobody held the node's turn and it is held now; else what its holder said."""

    async def tell(self, label: str, value: bytes, for_s: float) -> None:
        """Says it in the holder's place, for so long."""
