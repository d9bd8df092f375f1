"""The servers of a stack together: started side by side, replicas after what they copy, stopped in
order.
"""

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from console.embedded.places import Places, places
from console.embedded.postgres import DURABLE, Postgres
from console.embedded.replica import Replica, forget_others
from console.embedded.server import Server
from console.embedded.valkey import Valkey, broker, cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Postgres, the cache and the broker of one folder, and Postgres's replicas where some are
    wanted; each can be stopped or killed alone.
    """

    places: Places
    postgres: Postgres
    cache: Valkey
    broker: Valkey
    replicas: tuple[Replica, ...] = ()

    @classmethod
    def under(cls, var: Path, *, settings: dict[str, str] = DURABLE, replicas: int = 0) -> Self:
        """The servers of the folder `var`, not started. `DURABLE` survives a crash, `FAST` not."""
        where = places(var)
        primary = Postgres(where, settings=settings)
        return cls(
            places=where,
            postgres=primary,
            cache=cache(where),
            broker=broker(where),
            replicas=tuple(
                Replica(where, primary, number, settings=settings)
                for number in range(1, replicas + 1)
            ),
        )

    @property
    def servers(self) -> tuple[Server, ...]:
        """In the order in which they stop: the broker's last messages need no database. Without
        the replicas, which stop before them.
        """
        return (self.broker, self.cache, self.postgres)

    @property
    def dsn(self) -> str:
        return self.postgres.url

    @property
    def environment(self) -> dict[str, str]:
        """What a process of Switchyard needs to find them."""
        urls = ",".join(replica.weighted_url for replica in self.replicas)
        return {
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.cache.url,
            "CELERY_BROKER_URL": self.broker.broker_url,
        } | ({"DATABASE_REPLICA_URLS": urls} if urls else {})

    def start(self) -> None:
        """Returns once all serve. They end with the calling thread, not only with the process."""
        for server in reversed(self.servers):
            server.prepare()
            server.launch()
        for server in self.servers:
            server.wait_ready()
        forget_others(self.postgres, self.replicas)
        for replica in self.replicas:
            replica.start()

    def stop(self) -> None:
        for server in (*self.replicas, *self.servers):
            server.stop()
        self.places.tidy()

    def kill9(self) -> None:
        for server in (*self.replicas, *self.servers):
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
