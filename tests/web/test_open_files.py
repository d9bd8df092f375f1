"""The web process takes the files that it may have, whatever the shell that started it grants."""

import asyncio
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest

from console import open_files
from console.capacity import files
from console.embedded.cluster import Cluster
from tests.web.test_server import Server

_OF_A_SHELL = 1_024


@contextmanager
def soft_limit(number: int) -> Iterator[int]:
    """Of this process and of what it starts meanwhile; gives the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
    try:
        yield hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_soft_limit_becomes_the_hard_one() -> None:
    with soft_limit(_OF_A_SHELL) as hard:
        assert files.own() == _OF_A_SHELL
        assert open_files.raise_limit() == hard
        assert files.own() == hard
        assert open_files.raise_limit() == hard


@pytest.mark.parametrize("error", [OSError("not permitted"), ValueError("exceeds maximum")])
def test_a_system_that_refuses_is_worked_with(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_: object) -> None:
        raise error

    with soft_limit(_OF_A_SHELL), monkeypatch.context() as patch:
        patch.setattr(resource, "setrlimit", refuse)
        assert open_files.raise_limit() == _OF_A_SHELL


@pytest.fixture
async def server(services: Cluster, transactional_db: None) -> AsyncIterator[Server]:
    with soft_limit(_OF_A_SHELL):
        started = Server(services, TRUSTED_PROXIES="")
    try:
        await started.listening()
        yield started
    finally:
        started.close()


async def test_a_web_process_has_more_connections_than_its_shell_grants(server: Server) -> None:
    pid = server.process.pid
    # What capacity reckons web.files with.
    assert files.least_of([pid]) == resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    opened = [
        await asyncio.open_connection("127.0.0.1", server.port) for _ in range(_OF_A_SHELL + 100)
    ]
    try:
        async with asyncio.timeout(20):
            _, status, _ = await server.ask("/livez")
        assert status == 200
    finally:
        for _, writer in opened:
            writer.transport.abort()
