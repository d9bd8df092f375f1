"""The scenarios by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from console.loadtests import (
    breaker_recovery,
    cache_stampede,
    cache_thrash,
    connection_storm,
    rpc_concurrency,
)
from console.loadtests.criteria import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`run` takes the address of a running console, which only the storm needs."""

    name: str
    says: str
    run: Callable[[str], Outcome]


_ALL = (
    Scenario(
        name="connection-storm",
        says="1 000 users ask a page of the running console for 20 s",
        run=lambda url: connection_storm.run(url),  # noqa: PLW0108 - its own name says what it takes
    ),
    Scenario(
        name="cache-thrash",
        says="10 times 10 000 keys through an L1 of 1 000 entries, by each policy",
        run=lambda _url: cache_thrash.run(),
    ),
    Scenario(
        name="breaker-recovery",
        says="ten calls to a node that fails, and its return after five seconds",
        run=lambda _url: breaker_recovery.run(),
    ),
    Scenario(
        name="rpc-concurrency",
        says="1 000 addresses validated at once over a node 20 ms away",
        run=lambda _url: rpc_concurrency.run(),
    ),
    Scenario(
        name="cache-stampede",
        says="4 000 callers in four processes want the same unknown answer",
        run=lambda _url: cache_stampede.run(),
    ),
)
SCENARIOS: Final[Mapping[str, Scenario]] = {scenario.name: scenario for scenario in _ALL}
