"""Turns settings into what the engine runs on: the one place where both are known."""

from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from typing import Any

import psycopg
from django.conf import settings
from django.db import connections
from django.utils.module_loading import import_string

from monitoring.loop_lag import LoopLag
from monitoring.probes import PROBES
from validation.cache import CacheConfig, L1Config
from validation.deciding import FlagSource, NoFlags
from validation.fleet_engine import EngineConfig, FleetEngine
from validation.resilience import BreakerConfig
from validation.rpc import NodeUrl, Portal, RpcConfig

# By prefix of the name. A cache that does not answer within its 40 ms is given up sooner than a
# node, and tried again sooner: it costs every item.
BREAKERS = {
    "node:": BreakerConfig(),
    "l2": BreakerConfig(window_s=10.0, slow_s=0.04, open_s=1.0, open_max_s=10.0),
}


def rpc_config(nodes: Sequence[NodeUrl], *, processes: int) -> RpcConfig:
    """What this process may ask of `nodes`, sharing their calls in flight with `processes`."""
    return RpcConfig(
        nodes=tuple(nodes),
        chain_id=settings.NODE_CHAIN_ID,
        max_in_flight=max(1, settings.NODE_MAX_IN_FLIGHT // processes),
        rate_limit=settings.NODE_RATE_LIMIT or None,
        allow_loopback=settings.DEVELOPMENT,
        private_networks=settings.NODE_PRIVATE_NETWORKS,
    )


def cache_config() -> CacheConfig:
    return CacheConfig(
        url=settings.REDIS_URL,
        # Whoever can write to Valkey still cannot make up an entry that a worker believes.
        key=blake2b(settings.SECRET_KEY.encode(), person=b"switchyard-cache").digest(),
        l1=L1Config(max_entries=settings.L1_CACHE_SIZE),
        l1_ttl_s=settings.L1_TTL,
    )


def engine_config() -> EngineConfig:
    processes: int = settings.WORKERS
    return EngineConfig(
        rpc=rpc_config(settings.NODES, processes=processes) if settings.NODES else None,
        own_nodes=lambda nodes: rpc_config(nodes, processes=processes),
        cache=cache_config(),
        breakers=BREAKERS,
        max_in_flight=settings.NODE_MAX_IN_FLIGHT,
        processes=processes,
        valkey_url=settings.REDIS_URL,
        checkpoint=settings.CHECKPOINT,
        memory_limit=settings.WORKER_MEMORY_MB << 20,
    )


def fleet_engine() -> FleetEngine:
    """To be called after the fork: it starts a thread."""
    portal = Portal()
    portal.start()
    lag = LoopLag("worker")
    portal.run(_watch(lag))
    PROBES.register("event loop", lag.samples)
    return FleetEngine(portal, engine_config())


async def _watch(lag: LoopLag) -> None:
    lag.begin()


def flag_source() -> FlagSource:
    """What `FLAG_SOURCE` names makes it: whoever keeps the flags is not known here."""
    if not settings.FLAG_SOURCE:
        return NoFlags()
    source: FlagSource = import_string(settings.FLAG_SOURCE)()
    return source


def connect() -> psycopg.Connection[Any]:
    """A plain connection with the default database's settings, outside Django's handling."""
    params = connections["default"].get_connection_params()
    return psycopg.connect(**params, autocommit=True, application_name="switchyard worker")


@cache
def has_database() -> bool:
    return bool(settings.DATABASES["default"]["ENGINE"] != "django.db.backends.dummy")
