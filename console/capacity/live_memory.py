"""Memory of this machine, and what of the fleet and its servers is on it."""

from collections.abc import Iterator
from typing import Final

from django.conf import settings

from console.capacity.inputs import Held, Memory
from console.capacity.seen import Seen, database_is_here, is_here, is_own
from monitoring.collectors.valkey import ValkeySample
from validation.cache.sizing import read_memory

_RESIDENT: Final = "switchyard_process_resident_memory_bytes"
_HERE: Final = ("web", "beat")


def look(seen: Seen) -> Memory | None:
    machine = read_memory()
    if machine is None:
        return None
    sizes = [worker.rss_bytes for worker in seen.workers_here]
    own = settings.WORKER_MEMORY_MB << 20
    return Memory(
        total=machine.total,
        # Without a limit of its own each is reckoned as large as the largest is now.
        a_worker=own or max(sizes, default=None),
        workers=len(sizes) if seen.fleet.reachable else None,
        held=(*_processes(seen), *_servers(seen)),
        postgres_here=database_is_here(),
    )


def _processes(seen: Seen) -> Iterator[Held]:
    for kind in _HERE:
        sizes = [
            int(sample.value)
            for one in seen.of_kind(kind)
            if is_own(one)
            for sample in one.gauges
            if sample.name == _RESIDENT
        ]
        if sizes:
            yield Held(what=f"{len(sizes)} {kind}", bytes=sum(sizes))


def _servers(seen: Seen) -> Iterator[Held]:
    for name, url, of in (
        ("the cache", settings.REDIS_URL, seen.cache),
        ("the broker", settings.CELERY_BROKER_URL, seen.broker),
    ):
        if url and is_here(url) and of.sample is not None:
            yield Held(what=name, bytes=_most(of.sample))


def _most(sample: ValkeySample) -> int:
    """Without maxmemory, what it holds now: a broker's wake-ups are small."""
    return sample.max_bytes or sample.used_bytes
