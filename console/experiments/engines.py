"""Private engines: as a worker's, with nodes, cache and flags of an experiment's own."""

import time
from collections.abc import Mapping
from hashlib import blake2b

from console.experiments.claims import Claim
from console.flags.catalogue import BY_KEY
from validation import wiring
from validation.cache import CacheConfig, L1Config
from validation.deciding import Decision, Decisions
from validation.devnode import packaged
from validation.flags import OF_ITEMS
from validation.fleet_engine import EngineConfig, FleetEngine
from validation.item_variants import ItemPlan, Whole
from validation.rpc import NodeUrl, Portal, RpcConfig

_IN_FLIGHT = 128
_MEMORY = 512 << 20
# More than any load here asks for: what shares it is at work, and holds nothing up.
_FLEET_RATE = 50_000.0
_SETTLE_S = 5.0
_POLL_S = 0.01
_ITEM_KEYS = frozenset(flag.key for flag in OF_ITEMS)
# Whatever a cache server of an experiment's own holds, nobody else is to believe it.
_KEY = blake2b(b"switchyard experiments", digest_size=32).digest()


class VariantRefused(Exception):
    """The engine does not have a flag as the claim wants it."""


def decisions(variants: Mapping[str, str]) -> Decisions:
    """As a worker would have them with these variants in force, by key."""
    values = {key: BY_KEY[key].variants[variant] for key, variant in variants.items()}
    items = {key: Whole(str(value)) for key, value in values.items() if key in _ITEM_KEYS}
    of = {
        key: Decision(key=key, variant=variants[key], value=value, reason="EXPERIMENT")
        for key, value in values.items()
        if key not in _ITEM_KEYS
    }
    return Decisions(of=of, items=ItemPlan(of=items))


def variants_of(claim: Claim, variant: str) -> dict[str, str]:
    return {**claim.settings, claim.flag: variant}


class PrivateEngine:
    """`urls`: its nodes; `cache_url`: a database of the cache server that is its own, or "";
    `fleet_url`: one where it counts what nodes are asked, as a fleet with NODE_RATE_LIMIT does.
    """

    def __init__(
        self, urls: tuple[str, ...], *, cache_url: str = "", fleet_url: str = "",
        first: Decisions | None = None,
    ) -> None:  # fmt: skip
        portal = Portal(name="experiment")
        portal.start()
        self._engine = FleetEngine(portal, _config(urls, cache_url, fleet_url))
        if first is not None:
            self.decide(first)
        self._engine.begin()

    @property
    def engine(self) -> FleetEngine:
        return self._engine

    def decide(self, wanted: Decisions) -> None:
        """VariantRefused where anything of it is not in force then."""
        if refused := self._engine.decide(wanted):
            told = "; ".join(f"{key}: {why}" for key, why in refused.items())
            raise VariantRefused(told)

    def settle(self) -> None:
        """Until it knows its chain and its cache server; where it does not come to, so be it."""
        deadline = time.monotonic() + _SETTLE_S
        while time.monotonic() < deadline and not self._is_settled():
            time.sleep(_POLL_S)

    def stop(self) -> None:
        self._engine.stop()

    def _is_settled(self) -> bool:
        is_reachable = self._engine.cache.report().get("l2_reachable", True)
        return bool(is_reachable) and self._engine.told()["head"] is not None


def _config(urls: tuple[str, ...], cache_url: str, fleet_url: str) -> EngineConfig:
    nodes = tuple(NodeUrl.parse(url) for url in urls)
    rpc = RpcConfig(
        nodes=nodes,
        chain_id=packaged.CHAIN_ID,
        max_in_flight=_IN_FLIGHT,
        allow_loopback=True,
        rate_limit=_FLEET_RATE if fleet_url else None,
    )
    return EngineConfig(
        rpc=rpc,
        own_nodes=lambda _nodes: rpc,
        cache=CacheConfig(url=cache_url, key=_KEY, l1=L1Config(), reply_s=1.0),
        breakers=wiring.BREAKERS,
        max_in_flight=_IN_FLIGHT,
        processes=1,
        memory_limit=_MEMORY,
        valkey_url=fleet_url,
    )
