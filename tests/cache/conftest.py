"""Caches on the session's Valkey, and on one that a test may stop, freeze, empty and spoil."""

import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from console.embedded import valkey
from console.embedded.cluster import Cluster
from console.embedded.places import places
from tests.cache.fetchers import Fleet, Node, knowing
from tests.cache.tiers import Tiers
from tests.services import FOLDER


class OwnValkey:
    """A server of one test."""

    def __init__(self, folder: Path) -> None:
        self._server = valkey.cache(places(folder))
        self._is_frozen = False

    @property
    def url(self) -> str:
        return self._server.url

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self.thaw()
        self._server.stop()

    def kill(self) -> None:
        self._server.kill9()

    def freeze(self) -> None:
        """It keeps its connections and takes new ones, and answers nobody."""
        assert self._server.pid
        os.kill(self._server.pid, signal.SIGSTOP)
        self._is_frozen = True

    def thaw(self) -> None:
        if self._is_frozen and self._server.pid:
            os.kill(self._server.pid, signal.SIGCONT)
        self._is_frozen = False


@pytest.fixture
def own_valkey() -> Iterator[OwnValkey]:
    folder = Path(tempfile.mkdtemp(dir=FOLDER))
    folder.chmod(0o755)
    server = OwnValkey(folder)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def tiers(services: Cluster) -> AsyncIterator[Tiers]:
    """Caches of several processes, as it were, on the session's Valkey; keys of their own."""
    made = Tiers(services.cache.url, f"switchyard:cache:{uuid.uuid4().hex[:16]}:")
    yield made
    await made.aclose()


@pytest.fixture
async def tiers_on() -> AsyncIterator[Callable[[str], Tiers]]:
    """As `tiers`, on a server of choice."""
    made: list[Tiers] = []

    def make(url: str) -> Tiers:
        made.append(Tiers(url, "switchyard:cache:0123456789abcdef:"))
        return made[-1]

    yield make
    for tiers in made:
        await tiers.aclose()


@pytest.fixture
def node() -> Node:
    return knowing()


@pytest.fixture
async def fleet(tiers: Tiers, node: Node) -> AsyncIterator[Fleet]:
    """Fetchers of several processes, as it were, that ask one node."""
    fleet = Fleet(tiers, node)
    yield fleet
    await fleet.aclose()
