"""Each flag that a fleet cannot show cheaply does in one process what its table says, variant by
variant, and its old self again when it is switched back.
"""

from uuid import uuid4

import pytest

from console.embedded.cluster import Cluster
from console.flags.catalogue import BY_KEY
from tests.cache.tiers import Tiers
from tests.flags.behaviours import BEHAVIOURS, IN_VALKEY
from tests.flags.rig import rig_on
from tests.rpc.conftest import node
from tests.rpc.scripted import ScriptedNode

__all__ = ["node"]


@pytest.mark.parametrize("key", BEHAVIOURS)
def test_no_two_variants_do_the_same(key: str) -> None:
    finds = BEHAVIOURS[key].finds
    assert set(finds) <= set(BY_KEY[key].variants)
    assert len({repr(found) for found in finds.values()}) == len(finds) > 1


@pytest.mark.parametrize("key", BEHAVIOURS)
async def test_each_variant_does_what_it_promises_and_back(
    key: str,
    services: Cluster,
    node: ScriptedNode,
) -> None:
    behaviour, ships = BEHAVIOURS[key], BY_KEY[key].ships
    url = services.cache.url if key in IN_VALKEY else ""
    tiers = Tiers(url, f"switchyard:cache:{uuid4().hex[:16]}:")
    found: dict[str, object] = {}
    async with rig_on(tiers, node, services.dsn) as rig:
        for variant in behaviour.finds:
            if variant != ships:
                rig.switch(key, variant)
                found[variant] = await behaviour.look(rig)
        rig.switch(key, ships)
        found[ships] = await behaviour.look(rig)
    await tiers.aclose()
    assert found == behaviour.finds
