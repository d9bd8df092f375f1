"""Asks whether something serves at an address, and whether an address is free."""

import asyncio
import contextlib
import errno
import socket

from console.embedded.errors import EmbeddedError

_ASK_S = 2.0


async def accepts(host: str, port: int) -> bool:
    """Whether a TCP connection is accepted."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_ASK_S):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            await writer.wait_closed()
            return True
    return False


async def answers_http(host: str, port: int, path: str) -> bool:
    """Whether GET `path` is answered with 200."""
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        async with asyncio.timeout(_ASK_S):
            reader, writer = await asyncio.open_connection(host, port)
            request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            writer.write(request.encode())
            status = await reader.readline()
            writer.close()
            return status.startswith(b"HTTP/1.1 200")
    return False


def refuse_busy(host: str, port: int) -> None:
    """EmbeddedError naming HOST or PORT where a server could not listen there."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as exc:
        raise EmbeddedError(f"HOST={host} is not an address of this machine: {exc}.") from exc
    family, kind, protocol, _, address = addresses[0]
    with socket.socket(family, kind, protocol) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(address)
            trial.listen()
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                raise EmbeddedError(
                    f"PORT={port} on {host} is taken by another program: "
                    f"end it, or choose another, as in PORT={_free_port(host)} make up."
                ) from exc
            raise EmbeddedError(
                f"HOST={host} PORT={port} cannot be listened on: {exc.strerror}."
            ) from exc


def port_near(host: str, wished: int) -> int:
    """`wished` where it is free, else any that is."""
    try:
        refuse_busy(host, wished)
    except EmbeddedError:
        return _free_port(host)
    return wished


def _free_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.bind((host, 0))
        return int(trial.getsockname()[1])
