"""Memory: what all that runs on this machine may hold together, and what the machine has."""

from collections.abc import Iterator

from console.capacity.inputs import Inputs, Memory
from console.capacity.limit import OURS, Limit, Told, limit
from console.capacity.sums import demanded

# Of a process of Postgres that serves a client; the sources have 5 to 17 MB.
A_CONNECTION = 10_000_000
_MB = 1_000_000
# The least that console.settings takes for WORKER_MEMORY_MB: one that just began holds half of it.
LEAST_MB = 192
# Of the machine: the rest is the system's, and for what nobody reckoned with.
SPARE = 0.8


def limits(inputs: Inputs) -> Iterator[Limit]:
    memory = inputs.memory
    if memory is None:
        return
    parts = dict(_parts(inputs, memory))
    known = [value for value in parts.values() if value is not None]
    total = sum(known) if len(known) == len(parts) else None
    said = ", ".join(
        f"{what} {'not known' if value is None else f'{round(value / _MB)} MB'}"
        for what, value in parts.items()
    )
    yield limit(
        "memory.machine",
        "Memory of this machine",
        uses=total,
        allows=memory.total,
        unit="bytes",
        explains=f"At most: {said}. What runs elsewhere is not in it.",
        fix=_fewer_or_smaller(inputs),
        told=Told.by(inputs.ages, OURS, "workers", *_held_by(inputs)),
    )


def _parts(inputs: Inputs, memory: Memory) -> Iterator[tuple[str, int | None]]:
    if memory.workers != 0:
        number = memory.workers
        unknown = number is None or memory.a_worker is None
        yield _workers(number), None if unknown else (number or 0) * (memory.a_worker or 0)
    for one in memory.held:
        yield one.what, one.bytes
    if memory.postgres_here:
        wanted = demanded(inputs)
        shared = inputs.postgres.shared_bytes if inputs.postgres else None
        yield (
            "Postgres",
            None if wanted is None or shared is None else shared + wanted * A_CONNECTION,
        )


def a_worker_mb(inputs: Inputs) -> int | None:
    """WORKER_MEMORY_MB at most for the workers here; None where that is not known, or too little
    for one to begin.
    """
    memory, room = inputs.memory, _room(inputs)
    if memory is None or room is None or not memory.workers:
        return None
    each = room // memory.workers >> 20
    return each if each >= LEAST_MB else None


def _fewer_or_smaller(inputs: Inputs) -> str:
    """WORKERS is the whole fleet's: of those here Celery's own option is the number."""
    if each := a_worker_mb(inputs):
        return f"WORKER_MEMORY_MB={each}"
    fit = (_room(inputs) or 0) // (LEAST_MB << 20)
    return f"--concurrency={fit}\nWORKER_MEMORY_MB={LEAST_MB}" if fit > 0 else ""


def _room(inputs: Inputs) -> int | None:
    """What workers may take of this machine, beside all else."""
    memory = inputs.memory
    if memory is None:
        return None
    parts = dict(_parts(inputs, memory))
    parts.pop(_workers(memory.workers), None)
    others = [value for value in parts.values() if value is not None]
    return None if len(others) < len(parts) else int(memory.total * SPARE) - sum(others)


def _held_by(inputs: Inputs) -> list[str]:
    """Sources of what is here beside workers."""
    memory = inputs.memory
    of_postgres = ["postgres"] if memory is not None and memory.postgres_here else []
    return ["web processes", "valkey", "broker", *of_postgres]


def _workers(number: int | None) -> str:
    return "workers" if number is None else f"{number} worker{'' if number == 1 else 's'}"
