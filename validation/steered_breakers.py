"""The breakers of a process as operators steer them, from any thread."""

from typing import Final

from validation.resilience import Breakers, Override
from validation.rpc import Portal

_WAIT_S: Final = 2.0


class SteeredBreakers:
    """Done on the loop's thread, so that no batch can slip
    out between a breaker's look and its change. What was asked is done when a method returns.
    """

    def __init__(self, registry: Breakers, portal: Portal) -> None:
        self._registry = registry
        self._portal = portal

    def apply(self, name: str, override: Override | None) -> None:
        async def act() -> None:
            self._registry.apply(name, override)

        self._portal.run(act(), timeout_s=_WAIT_S)

    def reset(self, name: str) -> None:
        async def act() -> None:
            self._registry.reset(name)

        self._portal.run(act(), timeout_s=_WAIT_S)
