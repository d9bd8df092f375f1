"""What a worker remembers of blocks goes with a purge of its cache."""

from collections.abc import Callable

from tests.devnode.asking import Over
from validation import wiring
from validation.cache import CacheConfig, L1Config
from validation.devnode.app import App, create_app
from validation.devnode.chain import Chain
from validation.fleet_engine import EngineConfig, FleetEngine
from validation.rpc import NodeUrl, Portal, RpcConfig


def config(url: str, chain: Chain) -> EngineConfig:
    def of(nodes: object) -> RpcConfig:
        return RpcConfig(
            nodes=tuple(nodes),  # type: ignore[arg-type]
            chain_id=chain.chain_id,
            allow_loopback=True,
        )

    return EngineConfig(
        rpc=of([NodeUrl.parse(url)]),
        own_nodes=of,
        cache=CacheConfig(url="", key=b"k" * 32, l1=L1Config(max_entries=1_000), l1_ttl_s=60),
        breakers=wiring.BREAKERS,
        max_in_flight=64,
        processes=1,
    )


def test_a_purge_reaches_it(chain: Chain, serving: Callable[[App], Over]) -> None:
    portal = Portal()
    portal.start()
    engine = FleetEngine(portal, config(serving(create_app(chain)).url, chain))
    block = chain.transactions[500:503]  # of one block

    def source_of(place: int) -> str:
        subjects = [f"tx:{block[place]}"]
        [outcome] = engine.validate(subjects, level=3, node_urls=()).result(timeout=20)
        assert (outcome.verdict, outcome.level) == ("valid", 3), outcome
        return outcome.source

    try:
        # Nothing else is cached: until it has begun, the engine does not know the chain.
        assert [source_of(0), source_of(1)] == ["node", "l1"]
        engine.cache.purge("all", age_s=0.0, revision=1)
        assert source_of(2) == "node"
    finally:
        engine.stop()
