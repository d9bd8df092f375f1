"""Nodes for the tests of the RPC client."""

from collections.abc import AsyncIterator

import pytest

from tests.rpc.scripted import ScriptedNode


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
