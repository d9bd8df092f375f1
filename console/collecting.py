"""What a process of the console offers to collect: the servers, and what waits to be validated."""

import os
import secrets
import socket
from collections.abc import Iterator

from console.celery import app
from console.pages import throughput
from monitoring.collecting import Collector
from monitoring.history.figures import Figure


def collector(kind: str) -> Collector:
    """Of this process, web or beat; not started."""
    # A number of a process comes again, and one that forks is two.
    name = f"{kind}:{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    return Collector(name, queue=app.conf.task_default_queue, more=[_chunks])


def _chunks() -> Iterator[Figure]:
    found = throughput.queue()
    yield Figure(name="chunks.ready", value=float(found.ready))
    yield Figure(name="chunks.leased", value=float(found.leased))
