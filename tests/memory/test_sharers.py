"""Memory is shared with the processes of one's own container, not with those of the fleet."""

from collections.abc import Iterator

import pytest

from validation import fleet_engine, wiring
from validation.cache import CacheConfig, L1Config
from validation.fleet_engine import EngineConfig, FleetEngine
from validation.footprint import Footprint
from validation.rpc import Portal, RpcConfig


@pytest.fixture
def engine() -> Iterator[FleetEngine]:
    portal = Portal()
    portal.start()
    config = EngineConfig(
        rpc=None,
        own_nodes=lambda nodes: RpcConfig(nodes=tuple(nodes)),
        cache=CacheConfig(url="", key=b"k" * 32, l1=L1Config(max_entries=10), l1_ttl_s=60),
        breakers=wiring.BREAKERS,
        max_in_flight=64,
        processes=1,
    )
    made = FleetEngine(portal, config)
    yield made
    made.stop()


def test_a_large_fleet_takes_nothing_of_a_containers_memory(
    engine: FleetEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def read(processes: int, *, own_limit: int) -> Footprint:
        assert own_limit == 0
        asked.append(processes)
        return Footprint(used=1, limit=100)

    def fit(*, processes: int) -> None:
        asked.append(processes)

    monkeypatch.setattr(fleet_engine, "read_footprint", read)
    monkeypatch.setattr(engine.cache, "fit", fit)

    def shared_by(processes: int, here: int) -> set[int]:
        asked.clear()
        engine.share_with(processes, here)
        engine.guard_memory().set_use("off")  # and on, so that the next look is due
        engine.guard_memory().set_use("on")
        engine.guard_memory()
        for _ in range(10):
            engine.told()
        return set(asked)

    assert shared_by(400, 1) == {1}
    assert shared_by(400, 8) == {8}
