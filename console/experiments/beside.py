"""Starts what measures in a process of its own: the one that asks for it is needed elsewhere."""

import subprocess
import sys
import threading
from typing import Final

import redis
import structlog
from django.conf import settings

from monitoring import valkey

log = structlog.get_logger(__name__)

# Measured or not: it has said so itself.
_TOLD: Final = frozenset({0, 1})
# On a busy machine it takes so long to start; asked for again meanwhile, one would be two.
_STARTING_S: Final = 20


def begin(*arguments: str) -> None:
    """`manage.py` with these, which nobody waits for; nothing where the same was just begun."""
    if not _is_first(" ".join(arguments)):
        return
    process = subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    threading.Thread(
        target=_note_end, args=(process, arguments), name=arguments[0], daemon=True
    ).start()


def _is_first(what: str) -> bool:
    try:
        key = f"switchyard:beside:{what}"
        return bool(valkey.client().set(key, 1, nx=True, ex=_STARTING_S))
    except redis.RedisError:
        return True  # the table lets only one run


def _note_end(process: subprocess.Popen[bytes], arguments: tuple[str, ...]) -> None:
    status = process.wait()
    if status not in _TOLD:
        log.warning("beside.ended", command=" ".join(arguments), status=status)
