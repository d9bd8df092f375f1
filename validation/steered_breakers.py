"""The breakers of a process as operators steer them, from any thread."""

from dataclasses import asdict
from typing import Final

from monitoring.snapshots import BreakerReport, Transition
from validation.resilience import Breakers, Override
from validation.resilience.reports import Report
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


def breaker_report(report: Report) -> BreakerReport:
    told = asdict(report)
    told["transitions"] = tuple(Transition(**change) for change in told["transitions"])
    return BreakerReport(**told)
