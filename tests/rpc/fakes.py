"""A transport in the process, for what needs thousands of answers and no sockets."""

from collections.abc import Callable

from validation.rpc import NodeUrl
from validation.rpc.connection import HttpConnection, Response
from validation.rpc.seams import Gate

NODE = NodeUrl.parse("http://node.example:8545")


class FakeTransport:
    """Answers every request with `respond(body)`, as if over one connection of a known chain."""

    def __init__(self, respond: Callable[[bytes], bytes], *, status: int = 200) -> None:
        self.respond = respond
        self.status = status
        self.posts = 0
        self.connection = HttpConnection(max_body_bytes=1)
        self.connection.is_vouched = True

    async def post(self, node: NodeUrl, body: bytes, gate: Gate) -> Response:
        gate()
        self.posts += 1
        return Response(self.status, [], self.respond(body), self.connection)

    def has_vouched_idle(self, node: NodeUrl) -> bool:
        return True

    def drop(self, node: NodeUrl) -> None:
        pass

    def forget(self, node: NodeUrl) -> None:
        pass

    def keep(self, most: int) -> None:
        pass

    def sockets(self, node: NodeUrl) -> tuple[int, int]:
        return 0, 1

    def dialled(self, node: NodeUrl) -> int:
        return 1

    async def aclose(self) -> None:
        pass
