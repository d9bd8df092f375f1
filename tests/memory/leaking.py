"""Imported by a real worker (`-I tests.memory.leaking`): one child of all leaks while it works."""

import os
import threading
import time
from pathlib import Path

from celery.signals import worker_process_init

MARK = "LEAK_MARK"
STEP = 4 << 20
# Its guard looks each second, or later where there is little room: it is to see what the process
# began with, and the leak grow. One that held most of its limit at the first look would be kept:
# the limit would be too low.
PAUSE_S = 0.15
MOST = 80

leaked: list[bytearray] = []


def _leak() -> None:
    while len(leaked) < MOST:
        leaked.append(bytearray(os.urandom(1024)) * (STEP // 1024))
        time.sleep(PAUSE_S)


@worker_process_init.connect
def begin(**_: object) -> None:
    mark = Path(os.environ[MARK])
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return
    mark.write_text(str(os.getpid()), encoding="ascii")
    threading.Thread(target=_leak, name="leak", daemon=True).start()
