"""Nudges between processes: "something about this topic changed", on one bounded Valkey stream.

An event carries no state: whoever hears it reads the truth again. A lost one costs the next poll.
"""

from collections.abc import Callable, Generator

import redis

from monitoring import valkey

STREAM = "switchyard:events"
_KEPT = 1_000
_BLOCK_S = 1.0


def publish(*topics: str) -> None:
    """Says that `topics` changed. Never raises: a server that is down only makes pages slower."""
    try:
        pipe = valkey.client().pipeline(transaction=False)
        for topic in topics:
            pipe.xadd(STREAM, {"topic": topic}, maxlen=_KEPT, approximate=True)
        pipe.execute()
    except redis.RedisError:
        return


def follow(stopped: Callable[[], bool]) -> Generator[set[str]]:
    """The topics that changed, as they change, until `stopped()`; blocks up to a second a turn.

    An empty set is yielded at each quiet second. Raises redis.RedisError when the server is gone:
    the caller waits and calls again.
    """
    client = valkey.blocking_client(_BLOCK_S)
    try:
        # Not "$": that means "from now" at each call, and what came between two is lost.
        newest = client.xrevrange(STREAM, count=1)
        last = newest[0][0] if newest else "0-0"
        while not stopped():
            answer = client.xread({STREAM: last}, count=500, block=int(_BLOCK_S * 1000))
            entries = answer[0][1] if answer else []
            if entries:
                last = entries[-1][0]
            yield {fields["topic"] for _, fields in entries if "topic" in fields}
    finally:
        client.close()
