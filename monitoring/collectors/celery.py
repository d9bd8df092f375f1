"""One look at Celery's queue: how many wake-ups wait, since when, and who there is to hear them."""

import json
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from monitoring.collectors.outcome import BrokerUnknown
from monitoring.collectors.valkey import connect
from monitoring.snapshots import WorkerSnapshot

SOURCE: Final = "celery"
# As kombu names what is delivered and not acknowledged yet.
_UNACKED: Final = "unacked"
_UNACKED_BY_TIME: Final = "unacked_index"
# By the clock of whoever rang (`validation.tasks`).
_SENT_AT: Final = "sent_at"


class CelerySample(msgspec.Struct, kw_only=True, frozen=True):
    """Of wake-ups, not of work: chunks are in Postgres. None: nobody can tell, or nothing waits."""

    queue: str
    length: int
    oldest_s: float | None
    unacknowledged: int
    held_s: float | None
    workers_up: int | None
    workers_busy: int | None
    workers_silent: int | None


def collect(
    url: str,
    queue: str,
    workers: Iterable[WorkerSnapshot] | None,
    *,
    clock: Callable[[], float] = time.time,
) -> CelerySample:
    """Raises redis.RedisError, and OSError where the broker is no Redis."""
    if url.startswith("amqp"):
        raise BrokerUnknown("a broker of AMQP")
    broker = connect(url)
    try:
        pipe = broker.pipeline(transaction=False)
        # Senders push on the left, workers take from the right.
        pipe.llen(queue).lindex(queue, -1).hlen(_UNACKED)
        pipe.zrange(_UNACKED_BY_TIME, 0, 0, withscores=True)
        length, oldest, unacknowledged, held = pipe.execute()
    finally:
        broker.close()
    now = clock()
    seen = None if workers is None else list(workers)
    return CelerySample(
        queue=queue,
        length=length,
        oldest_s=_age(_sent_at(oldest), now),
        unacknowledged=unacknowledged,
        held_s=_age(held[0][1] if held else None, now),
        workers_up=None if seen is None else sum(w.state == "up" for w in seen),
        workers_busy=None if seen is None else sum(w.state == "up" and w.busy for w in seen),
        workers_silent=None if seen is None else sum(w.state != "up" for w in seen),
    )


def _sent_at(message: str | None) -> float | None:
    """None for what is no message of ours, or says nothing of it."""
    try:
        document: Any = json.loads(message) if message else None
    except ValueError:
        return None
    headers = document.get("headers") if isinstance(document, dict) else None
    found = headers.get(_SENT_AT) if isinstance(headers, dict) else None
    return found if isinstance(found, int | float) else None


def _age(since: float | None, now: float) -> float | None:
    return None if since is None else max(0.0, now - since)
