"""Finds and ends the processes of a data folder: every server works in its own."""

import contextlib
import signal
import socket
import struct
import sys
import time
from pathlib import Path

import psutil

_CREDENTIALS = struct.Struct("3i")  # Linux: pid, uid, gid of who listens
_POLL_S = 0.01
_KILL_S = 5.0
_POLL_S = 0.01
_KILL_S = 5.0
_SOL_LOCAL, _LOCAL_PEERPID = 0, 2  # macOS


def listener(address: Path) -> psutil.Process | None:
    """The process that listens on this socket, as the kernel knows it, or None."""
    with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError, psutil.Error):
        client.settimeout(2)
        client.connect(str(address))
        return psutil.Process(_peer_pid(client))
    return None


def _peer_pid(client: socket.socket) -> int:
    if sys.platform == "darwin":
        return client.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID)
    raw = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(raw)[0])


def processes_in(folder: Path) -> list[psutil.Process]:
    """The living processes whose working directory is `folder`, the oldest first.

    Truer than a pid file: after a restart of the machine its pid may be another program's.
    """
    found = []
    for process in psutil.process_iter():
        # It may end while it is looked at; another user's folder is not ours to see.
        with contextlib.suppress(psutil.Error, OSError):
            if process.cwd() == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return sorted(found, key=lambda process: process.create_time())


def alive(process: psutil.Process) -> bool:
    """Whether it still runs; a child of ours that has ended is reaped by the question."""
    if isinstance(process, psutil.Popen):
        return process.poll() is None
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end(processes: list[psutil.Process], stop: signal.Signals, timeout_s: float) -> None:
    """Ends them with `stop`; what is left after `timeout_s` is killed."""
    _send(processes, stop)
    left = _wait(processes, timeout_s)
    _send(left, signal.SIGKILL)
    _wait(left, _KILL_S)


def _send(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _wait(processes: list[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Those still alive after `timeout_s`; one that init has yet to reap counts as ended."""
    deadline = time.monotonic() + timeout_s
    while (left := [process for process in processes if alive(process)]) and (
        time.monotonic() < deadline
    ):
        time.sleep(_POLL_S)
    return left
