"""The transport that lies: true answers go in, and what comes out is what a lie makes of them."""

from validation.devnode import wire
from validation.devnode.lies import Lie, Spoken, Stock, tell
from validation.drill.tape import Truth
from validation.rpc import AnswerTooLarge, NodeUrl
from validation.rpc.connection import HttpConnection, Response
from validation.rpc.seams import Gate


class LyingPosts:
    """`Posts` without a socket. No connection is ever vouched for: the chain is asked each time."""

    def __init__(
        self, truth: Truth, lie: Lie | None, *, max_body_bytes: int, stock: Stock | None = None
    ) -> None:
        self._truth = truth
        self._lie = lie
        self._max_body_bytes = max_body_bytes
        self._stock = stock or truth.stock()
        self.told = 0
        """Answers that were not the truth."""

    async def post(self, node: NodeUrl, body: bytes, gate: Gate) -> Response:
        gate()
        asked = wire.decode(body)
        truth = await self._truth.reply(asked)
        if self._lie is None:
            return self._response(node, Spoken(chunks=(truth,)))
        spoken, lies = tell(self._lie, asked, truth, self._stock)
        self.told += lies
        return self._response(node, spoken)

    def _response(self, node: NodeUrl, spoken: Spoken) -> Response:
        chunks, size = list[bytes](), 0
        for chunk in spoken.chunks:
            size += len(chunk)
            if size > self._max_body_bytes:
                raise AnswerTooLarge("the answer is larger than allowed", node=node.label)
            chunks.append(chunk)
        headers = [(b"content-type", spoken.content_type), *spoken.headers]
        connection = HttpConnection(max_body_bytes=self._max_body_bytes)
        return Response(spoken.status, headers, b"".join(chunks), connection)

    def has_vouched_idle(self, node: NodeUrl) -> bool:
        del node
        return False

    def drop(self, node: NodeUrl) -> None:
        """There is nothing to drop."""

    def forget(self, node: NodeUrl) -> None:
        """There is nothing to forget."""

    def keep(self, most: int) -> None:
        """There is nothing to keep."""

    def dialled(self, node: NodeUrl) -> int:
        del node
        return 0

    def sockets(self, node: NodeUrl) -> tuple[int, int]:
        del node
        return (0, 0)

    async def aclose(self) -> None:
        """There is nothing to close."""
