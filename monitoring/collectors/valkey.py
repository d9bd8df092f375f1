"""One look at a Valkey server: its memory, hits, clients and what was slow. A second at most."""

import time
from typing import Any, Final

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from monitoring.valkey import ValkeyUnset

CACHE: Final = "valkey"
BROKER: Final = "broker"
_TIMEOUT_S: Final = 1.0
_SLOW_SHOWN: Final = 10


class Slow(msgspec.Struct, kw_only=True, frozen=True):
    """A command of the server's slow log: its name without what it was given."""

    command: str
    took_ms: float
    age_s: float


class ValkeySample(msgspec.Struct, kw_only=True, frozen=True):
    """`max_bytes` None: it may take all memory there is. Counts are since the server's start."""

    version: str
    role: str
    up_s: float
    used_bytes: int
    max_bytes: int | None
    policy: str
    clients: int
    max_clients: int | None
    blocked_clients: int
    refused_clients: int
    hits: int
    misses: int
    evicted: int
    expired: int
    commands: int
    slow: tuple[Slow, ...]

    @property
    def hit_ratio(self) -> float | None:
        asked = self.hits + self.misses
        return self.hits / asked if asked else None

    @property
    def share(self) -> float | None:
        return self.used_bytes / self.max_bytes if self.max_bytes else None

    @property
    def words(self) -> str:
        """How full it is, as pages and alerts say it; "" where nothing bounds it."""
        if self.share is None or self.max_bytes is None:
            return ""
        return f"holds {self.share:.0%} of {self.max_bytes / 2**20:.0f} MiB"


def collect(url: str) -> ValkeySample:
    """Raises redis.RedisError."""
    server = connect(url)
    try:
        pipe = server.pipeline(transaction=False)
        pipe.info("everything").time().slowlog_get(_SLOW_SHOWN)
        info, now, slow = pipe.execute(raise_on_error=False)
    finally:
        server.close()
    for answer in (info, now):
        if isinstance(answer, Exception):
            raise answer
    # A server may refuse its slow log and still tell the rest.
    listed = [] if isinstance(slow, Exception) else slow
    return _sample(info, now[0], listed)


def connect(url: str) -> Any:
    """`Any`, as in `monitoring.valkey`."""
    if not url:
        raise ValkeyUnset("its address is not set")
    return redis.Redis.from_url(
        # Celery writes a socket as redis+socket://, redis-py as unix://.
        url.replace("redis+socket://", "unix://", 1),
        retry=Retry(NoBackoff(), 0),
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        decode_responses=True,
        encoding_errors="replace",
    )


def _sample(info: dict[str, Any], now: float, slow: list[dict[str, Any]]) -> ValkeySample:
    return ValkeySample(
        version=str(info.get("valkey_version") or info.get("redis_version", "")),
        role=str(info.get("role", "")),
        up_s=float(info.get("uptime_in_seconds", 0)),
        used_bytes=int(info.get("used_memory", 0)),
        max_bytes=int(info.get("maxmemory", 0)) or None,
        policy=str(info.get("maxmemory_policy", "")),
        clients=int(info.get("connected_clients", 0)),
        max_clients=int(info.get("maxclients", 0)) or None,
        blocked_clients=int(info.get("blocked_clients", 0)),
        refused_clients=int(info.get("rejected_connections", 0)),
        hits=int(info.get("keyspace_hits", 0)),
        misses=int(info.get("keyspace_misses", 0)),
        evicted=int(info.get("evicted_keys", 0)),
        expired=int(info.get("expired_keys", 0)),
        commands=int(info.get("total_commands_processed", 0)),
        slow=tuple(_slow(entry, now) for entry in slow),
    )


def _slow(entry: dict[str, Any], now: float) -> Slow:
    text = entry.get("command", "")
    name = (text.decode(errors="replace") if isinstance(text, bytes) else str(text)).split(" ")[0]
    age_s = max(0.0, now - float(entry.get("start_time", time.time())))
    return Slow(command=name[:40].upper(), took_ms=entry.get("duration", 0) / 1000, age_s=age_s)
