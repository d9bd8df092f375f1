"""What the client needs of a transport; tests and benches bring their own."""

from typing import Protocol

from validation.rpc.connection import Response
from validation.rpc.endpoints import NodeUrl


class Posts(Protocol):
    """Posts bodies to nodes. Raises RpcError only; time limits are its callers'."""

    async def post(self, node: NodeUrl, body: bytes) -> Response:
        """The node's whole answer, whatever its status."""

    def has_vouched_idle(self, node: NodeUrl) -> bool:
        """True when the next request will go out on a connection whose chain is known."""

    def drop(self, node: NodeUrl) -> None:
        """Closes the node's idle connections, so that the next request asks again who is there."""

    def dialled(self, node: NodeUrl) -> int:
        """How many connections were made so far."""

    async def aclose(self) -> None:
        """Closes every connection."""
