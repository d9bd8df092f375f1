"""Ends what a killed supervisor leaves: process groups, also the children of its children.

A script of the standard library alone. It reads `+PGID` and `-PGID` lines; the end of its input
means that the supervisor is gone, by itself (then no group is left) or by SIGKILL.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable

_POLL_S = 0.05


class Watchman:
    """The supervisor's end: tells the script which groups are its own."""

    def __init__(self, grace_s: float) -> None:
        self._script = subprocess.Popen(
            [sys.executable, "-ISB", __file__, str(grace_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            bufsize=1,
            start_new_session=True,  # Ctrl-C in the terminal is not for it
        )

    def watch(self, group: int) -> None:
        self._tell(f"+{group}")

    def forget(self, group: int) -> None:
        self._tell(f"-{group}")

    def dismiss(self) -> None:
        if self._script.stdin is not None:
            with contextlib.suppress(OSError):
                self._script.stdin.close()
        self._script.wait()

    def _tell(self, line: str) -> None:
        if self._script.stdin is not None:
            # Without it, the kernel's death signal still ends the children themselves.
            with contextlib.suppress(OSError):
                self._script.stdin.write(line + "\n")


def groups_left(lines: Iterable[str]) -> set[int]:
    """The groups that were announced and not taken back when the input ended."""
    groups: set[int] = set()
    for line in lines:
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
        else:
            groups.discard(group)
    return groups


def end_groups(groups: Iterable[int], grace_s: float) -> None:
    """SIGTERM to all of them, SIGKILL to those that have not ended after `grace_s`."""
    left = {group for group in groups if signal_group(group, signal.SIGTERM)}
    deadline = time.monotonic() + grace_s
    while left and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        left = {group for group in left if signal_group(group, 0)}
    for group in left:
        signal_group(group, signal.SIGKILL)


def signal_group(group: int, number: int) -> bool:
    """Whether anything was there to receive it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    end_groups(groups_left(sys.stdin), float(sys.argv[1]))
