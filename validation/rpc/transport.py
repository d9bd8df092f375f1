"""The one importer of httpx: an httpx client over connections of our own (see `connection`).

httpx over its own pool costs 1.4 ms a request and logs URLs; over this transport about 0.1 ms, and
it only ever sees `http://host:port/`. Path, query and credentials are added below it, in `pool`, so
that no log line, exception or hook of httpx can hold them.
"""

import ssl
from typing import cast

import certifi
import httpx

from validation.rpc.config import RpcConfig
from validation.rpc.connection import BodyTooLarge, ConnectionDropped, NotHttp, Response
from validation.rpc.endpoints import NodeUrl
from validation.rpc.errors import AnswerTooLarge, BadAnswer, NodeUnreachable
from validation.rpc.pool import NodePool
from validation.rpc.seams import Gate

_EMPTY = httpx.ByteStream(b"")  # the body is whole and bounded already: httpx need not read it


class Transport:
    """`Posts` over one httpx client."""

    def __init__(self, config: RpcConfig) -> None:
        self._pools = _Pools(config)
        self._client = httpx.AsyncClient(
            transport=self._pools, trust_env=False, follow_redirects=False
        )
        self._urls: dict[NodeUrl, httpx.URL] = {}

    def has_vouched_idle(self, node: NodeUrl) -> bool:
        pool = self._pools.known(node)
        return pool is not None and pool.has_vouched_idle()

    def dialled(self, node: NodeUrl) -> int:
        pool = self._pools.known(node)
        return 0 if pool is None else pool.dialled

    def drop(self, node: NodeUrl) -> None:
        pool = self._pools.known(node)
        if pool is not None:
            pool.close_idle()

    def keep(self, most: int) -> None:
        self._pools.keep(most)

    def forget(self, node: NodeUrl) -> None:
        self._urls.pop(node, None)
        self._pools.forget(node)

    def sockets(self, node: NodeUrl) -> tuple[int, int]:
        pool = self._pools.known(node)
        return (0, 0) if pool is None else pool.sockets()

    async def post(self, node: NodeUrl, body: bytes, gate: Gate) -> Response:
        url = self._urls.get(node)
        if url is None:
            url = self._urls[node] = _public_url(node)
        request = httpx.Request("POST", url, content=body, extensions={"node": node, "gate": gate})
        try:
            response = await self._client.send(request, stream=True)
        except ConnectionDropped as exc:
            raise NodeUnreachable(str(exc), node=node.label) from None
        except BodyTooLarge:
            raise AnswerTooLarge("the answer is larger than allowed", node=node.label) from None
        except NotHttp as exc:
            raise BadAnswer(str(exc), node=node.label) from None
        return cast(Response, response.extensions["answer"])

    async def aclose(self) -> None:
        await self._client.aclose()


class _Pools(httpx.AsyncBaseTransport):
    """httpx's seam: a request names its node in its extensions."""

    def __init__(self, config: RpcConfig) -> None:
        self._config = config
        self._most_kept = config.max_connections if config.keep_alive else 0
        self._tls: ssl.SSLContext | None = None
        self._pools: dict[NodeUrl, NodePool] = {}

    def known(self, node: NodeUrl) -> NodePool | None:
        return self._pools.get(node)

    def forget(self, node: NodeUrl) -> None:
        pool = self._pools.pop(node, None)
        if pool is not None:
            pool.close()

    def keep(self, most: int) -> None:
        self._most_kept = most
        for pool in self._pools.values():
            pool.keep(most)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        node = request.extensions["node"]
        pool = self._pools.get(node)
        if pool is None:
            pool = NodePool(node, self._config, tls=self._context)
            pool.keep(self._most_kept)
            self._pools[node] = pool
        stream = cast(httpx.ByteStream, request.stream)
        answer = await pool.request(b"".join(stream), request.extensions["gate"])
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_EMPTY, extensions={"answer": answer}
        )

    async def aclose(self) -> None:
        for pool in self._pools.values():
            pool.close()

    def _context(self) -> ssl.SSLContext:
        """Made once, and only for a node that needs it: reading the certificates takes 20 ms."""
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.load_verify_locations(certifi.where())
            if self._config.ca_file is not None:
                self._tls.load_verify_locations(self._config.ca_file)
        return self._tls


def _public_url(node: NodeUrl) -> httpx.URL:
    host = f"[{node.host}]" if ":" in node.host else node.host
    return httpx.URL(f"{node.scheme}://{host}:{node.port}/")
