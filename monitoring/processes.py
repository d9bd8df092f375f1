"""What every process (worker, web, beat) last counted, on the cache server."""

import socket
from collections.abc import Iterable

import msgspec
import structlog

from monitoring import valkey
from monitoring.clocks import ClockReading
from monitoring.samples import Sample

_INDEX = "switchyard:processes"
# Long: where nobody folds them into Postgres, the last words of the dead wait here.
LIFE_S = 86_400
# A process that has said nothing for so long is taken for dead.
SILENT_S = 30.0
_LIVE_S = 5.0

log = structlog.get_logger(__name__)


class ProcessSnapshot(msgspec.Struct, kw_only=True, frozen=True):
    """One process from its start until now. Readers know fields that writers may not."""

    # host:pid:start, never used again.
    incarnation: str
    kind: str
    # Grows with each snapshot.
    sequence: int
    counters: tuple[Sample, ...] = ()
    gauges: tuple[Sample, ...] = ()
    # The last word of a process that ends in good order.
    final: bool = False
    # Its wall clock against the cache server's, as of now; None: a release that does not tell.
    clock: ClockReading | None = None
    # Set by the reader, from the server's clock.
    age_s: float = 0.0

    @property
    def live(self) -> bool:
        return not self.final and self.age_s <= _LIVE_S

    @property
    def lost(self) -> bool:
        """It fell silent without a last word."""
        return not self.final and self.age_s > SILENT_S


def incarnation(pid: int, started_at: float) -> str:
    return f"{socket.gethostname()}:{pid}:{int(started_at * 1e6)}"


def publish(snapshot: ProcessSnapshot) -> None:
    """Raises redis.RedisError when the cache server is gone."""
    name, body = snapshot.incarnation, msgspec.json.encode(snapshot)
    valkey.announce(_INDEX, name, _key(name), body, life_s=LIFE_S)


def forget(incarnations: Iterable[str]) -> None:
    """For those that Postgres knows to the last. Raises redis.RedisError."""
    gone = list(incarnations)
    if gone:
        pipe = valkey.client().pipeline(transaction=False)
        pipe.delete(*map(_key, gone)).srem(_INDEX, *gone)
        pipe.execute()


def told() -> list[ProcessSnapshot]:
    """The newest snapshot of every process there is word of. Raises redis.RedisError."""
    client = valkey.client()
    names = sorted(client.smembers(_INDEX))
    pipe = client.pipeline(transaction=False)
    for name in names:
        pipe.get(_key(name)).pttl(_key(name))
    answers = pipe.execute(raise_on_error=False)
    found = []
    for name, body, ttl_ms in zip(names, answers[::2], answers[1::2], strict=True):
        if not isinstance(body, str):  # none, or something else in its place
            # Between our two questions it may have come back: it adds itself again next second.
            client.srem(_INDEX, name)
        elif snapshot := _decoded(name, body, age_s=LIFE_S - ttl_ms / 1000):
            found.append(snapshot)
    return found


def _decoded(name: str, body: str, *, age_s: float) -> ProcessSnapshot | None:
    """None for what no release that we know would have written."""
    try:
        snapshot = msgspec.json.decode(body, type=ProcessSnapshot)
    except msgspec.DecodeError as exc:
        log.warning("snapshot.unreadable", process=name, error=str(exc))
        return None
    return msgspec.structs.replace(snapshot, incarnation=name, age_s=max(0.0, age_s))


def _key(name: str) -> str:
    return f"switchyard:process:{name}"
