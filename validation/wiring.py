"""Turns settings into what the engine runs on: the one place where both are known."""

from collections.abc import Sequence
from concurrent.futures import Future
from functools import cache
from typing import Any

import psycopg
from django.conf import settings
from django.db import connections

from validation.engine import Engine
from validation.rpc import NodeUrl, Portal, RpcConfig
from validation.validators import Outcome

_CLIENTS_KEPT = 8


def rpc_config(nodes: Sequence[NodeUrl], *, processes: int) -> RpcConfig:
    """What this process may ask of `nodes`, sharing their calls in flight with `processes`."""
    return RpcConfig(
        nodes=tuple(nodes),
        chain_id=settings.NODE_CHAIN_ID,
        max_in_flight=max(1, settings.NODE_MAX_IN_FLIGHT // processes),
        allow_loopback=settings.DEVELOPMENT,
        private_networks=settings.NODE_PRIVATE_NETWORKS,
    )


class FleetEngine:
    """The engine of one worker process: its loop's thread, and one client for each set of nodes."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._engines: dict[tuple[str, ...], Engine] = {}
        self._processes: int = settings.WORKERS

    def validate(
        self, subjects: Sequence[str], *, level: int | None, node_urls: tuple[str, ...]
    ) -> "Future[list[Outcome]]":
        """Validates a chunk on the loop's thread; one outcome a subject, in order."""
        return self._portal.submit(self._engine(node_urls).validate_many(subjects, level=level))

    def share_with(self, processes: int) -> None:
        """Gives each of `processes` its part of what the nodes may be asked at once."""
        processes = max(processes, settings.WORKERS)
        if processes != self._processes:
            self._processes = processes
            for engine in list(self._engines.values()):  # another thread may add one
                engine.client.set_max_in_flight(max(1, settings.NODE_MAX_IN_FLIGHT // processes))

    def snapshot(self) -> dict[str, Any]:
        engine = self._engines.get(())
        return engine.client.snapshot() if engine else {}

    def stop(self) -> None:
        for engine in self._engines.values():
            self._portal.run(engine.client.aclose(), timeout_s=2)
        self._portal.stop()

    def _engine(self, node_urls: tuple[str, ...]) -> Engine:
        engine = self._engines.get(node_urls)
        if engine is None:
            nodes = [NodeUrl.parse(url) for url in dict.fromkeys(node_urls)] or settings.NODES
            config = rpc_config(nodes, processes=self._processes)
            engine = self._engines[node_urls] = Engine.on(config)
            self._forget_oldest()
        return engine

    def _forget_oldest(self) -> None:
        """Runs may name nodes of their own: their clients are kept for a while, not for ever."""
        if len(self._engines) > _CLIENTS_KEPT:
            oldest = next(urls for urls in self._engines if urls)
            self._portal.run(self._engines.pop(oldest).client.aclose(), timeout_s=2)


def fleet_engine() -> FleetEngine:
    """To be called after the fork: it starts a thread."""
    portal = Portal()
    portal.start()
    return FleetEngine(portal)


def connect() -> psycopg.Connection[Any]:
    """A plain connection with the default database's settings, outside Django's handling."""
    params = connections["default"].get_connection_params()
    return psycopg.connect(**params, autocommit=True, application_name="switchyard worker")


@cache
def has_database() -> bool:
    return bool(settings.DATABASES["default"]["ENGINE"] != "django.db.backends.dummy")
