"""One node and one database of the cache server for all drills of a test."""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from console.experiments import engines
from console.experiments.database import empty, taken
from console.experiments.node import PrivateNode
from console.rehearsals import ways
from console.rehearsals.drilling import Rig
from console.rehearsals.on_engine import on_engine
from validation.fleet_engine import EngineConfig


@pytest.fixture(scope="module")
def node(services: object) -> Iterator[PrivateNode]:
    del services
    with PrivateNode({}) as made:
        yield made


@pytest.fixture
def small(node: PrivateNode, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Has drills be on this node and in chunks of ten, and their engines wait for a cache server as
    long as a busy machine needs; all else is as shipped.
    """

    def patient(*of: Any) -> EngineConfig:
        config = as_shipped(*of)
        cache = replace(config.cache, reply_s=30.0, connect_s=30.0, blind_s=math.inf)
        return replace(config, cache=cache)

    as_shipped = engines._config
    monkeypatch.setattr(engines, "_config", patient)
    with taken() as cache_url:

        @contextmanager
        def rig(flag: str, baseline: str, target: str) -> Iterator[Rig]:
            empty(cache_url)
            with ExitStack() as stack:
                if flag not in ways.OF_ENGINE:
                    yield stack.enter_context(ways.BESIDE[flag](flag, baseline))
                    return
                ten = on_engine(flag, baseline, target, node=node, cache_url=cache_url, chunk=10)
                yield stack.enter_context(ten)

        monkeypatch.setattr(ways, "rig", rig)
        yield
