"""What a web process does about its replicas: watches them from its start to its end, and how far
they are behind, for the history.
"""

from collections.abc import Callable, Iterator

from django.conf import settings

from console.replicas import reading
from console.replicas.watch import Watch
from monitoring.collectors.replicas import standing
from monitoring.history.figures import Figure


def begin() -> Callable[[], None]:
    """What ends it. Without DATABASE_REPLICA_URLS there is nothing to watch."""
    if not settings.REPLICAS:
        return _nothing
    watch = Watch(settings.REPLICAS)
    reading.watch_with(watch)
    watch.start()

    def end() -> None:
        reading.watch_with(None)
        watch.stop()

    return end


def figures() -> Iterator[Figure]:
    """Of the one that is farthest behind; nothing where no lag is known."""
    found = standing()
    if found:
        yield Figure(name="replicas.in_use", value=float(sum(one.in_use for one in found)))
    if seconds := [one.lag_s for one in found if one.lag_s is not None]:
        yield Figure(name="replicas.lag_s", value=max(seconds))
    if octets := [one.lag_bytes for one in found if one.lag_bytes is not None]:
        yield Figure(name="replicas.lag_bytes", value=float(max(octets)))


def _nothing() -> None:
    pass
