"""The process that ends a fault, whatever becomes of the one that caused it.

It is a fork of that one, from before the fault begins. It is told through a pipe what there is to
heal, and heals when the pipe ends: with whoever holds the other end, also by SIGKILL. Past the time
it was given it waits for nobody.
"""

import json
import os
import select
import signal
import sys
import time

from console.faults.fault import CannotCause, Fault, Memo

_AGAIN_S = 1.0
_TRIES = 20


class Healer:
    """Make it before anything that a fork must not share: threads and connections."""

    def __init__(self, fault: Fault, *, within_s: float) -> None:
        reading, self._writing = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._writing)
            os._exit(_wait_and_heal(fault, reading, within_s))
        os.close(reading)

    def tell(self, memo: Memo) -> None:
        """What to heal, from now on. Until then there is nothing."""
        os.write(self._writing, json.dumps(dict(memo)).encode())

    def end(self) -> bool:
        """Whether what there was to heal is healed."""
        os.close(self._writing)
        _, status = os.waitpid(self._pid, 0)
        return os.waitstatus_to_exitcode(status) == 0


def _wait_and_heal(fault: Fault, reading: int, within_s: float) -> int:
    os.setsid()  # Ctrl-C, and the end of the terminal, are not for it
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    told, until = b"", time.monotonic() + within_s
    while (left_s := until - time.monotonic()) > 0:
        ready, _, _ = select.select([reading], [], [], left_s)
        heard = os.read(reading, 65_536) if ready else b""
        if ready and not heard:
            break
        told += heard
    return _healed(fault, json.loads(told)) if told else 0


def _healed(fault: Fault, memo: Memo) -> int:
    failure = ""
    for _ in range(_TRIES):
        try:
            fault.heal(memo)
        except CannotCause as exc:
            failure = str(exc)
            time.sleep(_AGAIN_S)
        else:
            return 0
    print(f"switchyard: {fault.name} was not healed: {failure}", file=sys.stderr)  # noqa: T201 - its last word
    return 1
