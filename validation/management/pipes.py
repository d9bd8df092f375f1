"""What a command does when whoever reads it, as `| head` does, has read enough."""

import os
import signal
import sys

PIPE_CLOSED = 128 + signal.SIGPIPE


def read_enough() -> int:
    """The status to end with. What is still buffered must not complain at exit either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return PIPE_CLOSED
