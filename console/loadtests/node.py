"""A demo node in this process, reached over loopback: what a scenario asks, and what it counts."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from validation.devnode import serve
from validation.devnode.app import create_app
from validation.devnode.chain import Chain
from validation.devnode.controls import Controls, Counters

_READY_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Where it listens, what it serves, and by which its faults are set and its calls counted."""

    url: str
    chain: Chain
    controls: Controls

    def set(self, **wanted: object) -> None:
        self.controls.settings = self.controls.settings.changed(wanted)

    @property
    def counters(self) -> Counters:
        return self.controls.counters


@contextmanager
def serving() -> Iterator[Node]:
    """Until the block ends; DevnodeError where it cannot listen."""
    chain, controls = Chain.load(None), Controls()
    accepting = threading.Event()
    with serve.listening("127.0.0.1", 0) as bound:
        server = serve.server(create_app(chain, controls), accepting.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        try:
            accepting.wait(_READY_S)
            yield Node(url=serve.address_of(bound), chain=chain, controls=controls)
        finally:
            server.should_exit = True
            thread.join(_READY_S)
