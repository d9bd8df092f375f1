"""The packaged chain, loaded once, and nodes over it: in this process or over loopback."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.devnode.asking import Over, Within
from validation.devnode import serve
from validation.devnode.app import App, create_app
from validation.devnode.chain import Chain


@pytest.fixture(scope="session")
def chain() -> Chain:
    return Chain.load()


@pytest.fixture
def node(chain: Chain) -> Within:
    return Within(create_app(chain))


@contextmanager
def _served(app: App) -> Iterator[str]:
    accepting = threading.Event()
    bound = serve.listening("127.0.0.1", 0)
    server = serve.server(app, accepting.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    try:
        assert accepting.wait(10)
        yield serve.address_of(bound)
    finally:
        server.should_exit = True
        thread.join(10)
        bound.close()
    assert not thread.is_alive()


@pytest.fixture
def serving() -> Iterator[Callable[[App], Over]]:
    """Serves an application over loopback until the test ends."""
    with ExitStack() as stack:
        yield lambda app: Over(stack.enter_context(_served(app)))
