"""Has a command that measures end at SIGTERM as it does at Ctrl-C, with a word of its own."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def ending(as_: type[BaseException]) -> Iterator[None]:
    """Raises `as_` where the process is told to end."""

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise as_

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
