"""A real web process tells its arms: what it decided flag by flag, and what it served by it."""

from collections.abc import Iterator

import pytest

from console.embedded.cluster import Cluster
from console.flags.web import ASKED
from monitoring import arms, valkey
from tests.fleet import wait_until
from tests.web.test_server import Server

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(150)]


@pytest.fixture
def server(services: Cluster, transactional_db: None) -> Iterator[Server]:
    valkey.client().flushdb()
    made = Server(services)
    yield made
    made.close()
    valkey.client().flushdb()


def served(server: Server) -> int:
    """Requests that it told of; for each flag as many. -1: it has told nothing yet."""
    found = [each.arms for each in arms.read() or () if each.arms.kind == "web"]
    if not found or not found[0].flags:
        return -1
    [told] = found
    assert told.process.endswith(f":{server.process.pid}")
    assert told.flags.keys() == told.holds.keys() == {flag.key for flag in ASKED}
    [units] = {told.flags[key][variant].units for key, variant in told.holds.items()}
    return units


async def test_it_tells_its_decisions_and_its_requests_until_it_ends(server: Server) -> None:
    await server.listening()
    wait_until(lambda: served(server) >= 0, within_s=30, what="it tells what it decided")
    before = served(server)
    for path in ("/sign-in/", "/livez", "/readyz", "/nowhere/"):
        await server.ask(path)
    wait_until(lambda: served(server) == before + 2, within_s=10, what="two requests count")
    server.close()
    assert not [each for each in arms.read() or () if each.arms.kind == "web"]
