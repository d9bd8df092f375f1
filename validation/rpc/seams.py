"""What the client needs of a transport; tests and benches bring their own."""

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

    def dialled(self, node: NodeUrl) -> int:
        """How many connections were made so far."""

    def sockets(self, node: NodeUrl) -> tuple[int, int]:
        """How many connections are in use and how many idle. Any thread may ask."""

    async def aclose(self) -> None:
        """Closes every connection."""
