"""Events made up to be counted twice: by the metrics as any other, and by the cache server itself.

What the one says of the other is what share of the truth the metrics see, over all that lies
between: each process's counters, its snapshots, their rows in Postgres, those who add them up.
"""

from typing import Final

import redis

from monitoring import valkey
from monitoring.instruments import CANARIES

_KEY: Final = "switchyard:canaries"


def sing() -> None:
    """One event. Not made where the cache server cannot count it. Never raises."""
    try:
        valkey.client().incr(_KEY)
    except redis.RedisError:
        return
    CANARIES.inc()


def truth() -> int:
    """Events made since the cache server began. Raises redis.RedisError."""
    counted = valkey.client().get(_KEY)
    return int(counted) if counted and counted.isdigit() else 0
