"""Nodes for the tests of the RPC client, and a Valkey that a test may stop."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from console.embedded.places import places
from console.embedded.valkey import Valkey, cache
from tests.rpc.scripted import LONG_S, ScriptedNode, until
from tests.services import FOLDER
from validation.rpc import Reply

type RunOut = Callable[[Coroutine[Any, Any, Reply], Callable[[], object]], Awaitable[Reply]]


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
async def run_out(lapse: Callable[[float], None]) -> RunOut:
    """What becomes of a fetch with `timeout_s=LONG_S` whose time is over as soon as something is
    so: on a slow machine, too, nothing else comes first.
    """

    async def run_out(fetch: Coroutine[Any, Any, Reply], is_so: Callable[[], object]) -> Reply:
        task = asyncio.ensure_future(fetch)
        await until(is_so)
        lapse(LONG_S)
        return await task

    return run_out


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
