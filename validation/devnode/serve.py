"""Runs the node under uvicorn until SIGINT or SIGTERM; a port that is taken is refused at once."""

import errno
import socket
from collections.abc import Callable

import uvicorn

from validation.devnode.app import App
from validation.devnode.errors import DevnodeError

BACKLOG = 1024


def listening(host: str, port: int) -> socket.socket:
    """A bound socket; DevnodeError says in one line why there is none. Port 0 takes a free one."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as exc:
        raise DevnodeError(f"{host} is not an address of this machine: {exc.strerror}.") from exc
    try:
        # A node that has just ended leaves its port in TIME_WAIT; one that runs still refuses.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(BACKLOG)
    except OSError as exc:
        bound.close()
        why = (
            "is taken: choose another with --port"
            if exc.errno == errno.EADDRINUSE
            else exc.strerror
        )
        raise DevnodeError(f"Port {port} of {host} {why}.") from exc
    return bound


def address_of(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


def server(app: App, ready: Callable[[], None]) -> uvicorn.Server:
    """`ready` is called once requests are accepted."""
    config = uvicorn.Config(
        app,
        http="httptools",
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_level="critical",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=1,
    )
    return _Server(config, ready)
