"""Cuts a connection when its time is over: a server that froze in the middle answers nobody."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg


@contextmanager
def cut_at(connection: psycopg.Connection[Any], ends_at: float) -> Iterator[None]:
    """`ends_at` on the monotonic clock. Whoever waits for an answer then hears that it is gone."""
    cutter = threading.Timer(ends_at - time.monotonic(), _cut, [connection])
    cutter.daemon = True
    cutter.start()
    try:
        yield
    finally:
        # Before the connection closes: its number may be another file's right after.
        cutter.cancel()
        cutter.join()


def _cut(connection: psycopg.Connection[Any]) -> None:
    with (
        suppress(OSError, psycopg.Error),
        socket.socket(fileno=os.dup(connection.fileno())) as wire,
    ):
        wire.shutdown(socket.SHUT_RDWR)
