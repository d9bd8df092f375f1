"""The three servers of a stack together: started side by side, stopped in order."""

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from console.embedded.places import Places, places
from console.embedded.postgres import DURABLE, Postgres
from console.embedded.server import Server
from console.embedded.valkey import Valkey, broker, cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Postgres, the cache and the broker of one folder; each can be stopped or killed alone."""

    places: Places
    postgres: Postgres
    cache: Valkey
    broker: Valkey

    @classmethod
    def under(cls, var: Path, *, settings: dict[str, str] = DURABLE) -> Self:
        """The servers of the folder `var`, not started. `DURABLE` survives a crash, `FAST` not."""
        where = places(var)
        return cls(
            places=where,
            postgres=Postgres(where, settings=settings),
            cache=cache(where),
            broker=broker(where),
        )

    @property
    def servers(self) -> tuple[Server, ...]:
        """In the order in which they stop: the broker's last messages need no database."""
        return (self.broker, self.cache, self.postgres)

    @property
    def dsn(self) -> str:
        return self.postgres.url

    @property
    def environment(self) -> dict[str, str]:
        """What a process of Switchyard needs to find them."""
        return {
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.cache.url,
            "CELERY_BROKER_URL": self.broker.broker_url,
        }

    def start(self) -> None:
        """Returns once all serve. They end with the calling thread, not only with the process."""
        for server in reversed(self.servers):
            server.prepare()
            server.launch()
        for server in self.servers:
            server.wait_ready()

    def stop(self) -> None:
        for server in self.servers:
            server.stop()
        self.places.tidy()

    def kill9(self) -> None:
        for server in self.servers:
            server.kill9()

    def restart(self) -> None:
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
