"""Nodes for the tests of the RPC client, and a Valkey that a test may stop."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from console.embedded.places import places
from console.embedded.valkey import Valkey, cache
from tests.rpc.scripted import ScriptedNode
from tests.services import FOLDER


@pytest.fixture
async def node() -> AsyncIterator[ScriptedNode]:
    node = await ScriptedNode().start()
    yield node
    await node.stop()


@pytest.fixture
async def other() -> AsyncIterator[ScriptedNode]:
    node = await ScriptedNode().start()
    yield node
    await node.stop()


@pytest.fixture
async def lapse(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets so many seconds go by on the loop, without waiting for them."""
    loop = asyncio.get_running_loop()
    goes, ahead_s = loop.time, 0.0

    def lapse(seconds: float) -> None:
        nonlocal ahead_s
        ahead_s += seconds

    monkeypatch.setattr(loop, "time", lambda: goes() + ahead_s)
    return lapse


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    """The test's own."""
    folder = Path(tempfile.mkdtemp(dir=FOLDER))
    folder.chmod(0o755)  # a server that root starts runs as another user
    server = cache(places(folder))
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)
