"""How large a web process's pool is: the sources' formulas, by the name of their variant."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Connections that are kept open, and the most there may be."""

    least: int
    most: int

    @property
    def waiting(self) -> int:
        """Requests that may wait for a connection at once; the next one is refused."""
        return 2 * self.most


type Formula = Callable[[int, int], Sizes]
"""From the number of processors, and what the deployment allows."""


def _sizes(least: int, most: int) -> Sizes:
    """On a small machine the least of a formula would be more than its most."""
    return Sizes(least=min(least, most), most=most)


def by_deployment(_cpus: int, allowed: int) -> Sizes:
    return _sizes(2, allowed)


# Roadmap 1.1 calls the first too aggressive; its own differ for a cloud's database; ADR-001 fits
# the pool to PgBouncer's 100.
FORMULAS: Final[Mapping[str, Formula]] = {
    "cpu8_300": lambda cpus, _: _sizes(max(cpus // 2, 10), min(cpus * 8, 300)),
    "cpu2_4": lambda cpus, _: _sizes(max(cpus // 4, 2), min(cpus * 2 + 4, 100)),
    "cpu2_10": lambda cpus, _: _sizes(max(cpus // 4, 2), min(cpus * 2 + 10, 100)),
    "cpu4_100": lambda cpus, _: _sizes(max(cpus // 4, 10), min(cpus * 4, 100)),
    "deployment": by_deployment,
}
