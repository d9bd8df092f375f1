"""What a process of the console offers to collect: the servers, and what waits to be validated."""

import os
import secrets
import socket
from collections.abc import Callable, Iterator

from django.conf import settings

from console.celery import app
from console.pages import throughput
from console.replicas import watching
from monitoring.collecting import Collector
from monitoring.history.figures import Figure


def begin(kind: str) -> Callable[[], None]:
    """Offers to collect, in this process, web or beat; what ends it. Without COLLECT it is left to
    others.
    """
    if not settings.COLLECT:
        return _nothing
    # A number of a process comes again, and one that forks is two.
    name = f"{kind}:{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    collector = Collector(name, queue=app.conf.task_default_queue, more=[_chunks, watching.figures])
    collector.start()
    return collector.stop


def _nothing() -> None:
    pass


def _chunks() -> Iterator[Figure]:
    found = throughput.queue()
    yield Figure(name="chunks.ready", value=float(found.ready))
    yield Figure(name="chunks.leased", value=float(found.leased))
