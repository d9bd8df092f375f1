"""How far the clocks of machines are apart, by what their processes told of the cache server's."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from monitoring.clocks import ClockReading
from monitoring.processes import ProcessSnapshot

APART_S: Final = 2.0
_SERVER: Final = "the cache server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """The two machines whose clocks differ most surely. `within_s`: of both readings together."""

    names: tuple[str, str]
    apart_s: float
    within_s: float

    @property
    def least_s(self) -> float:
        """They are apart by this at least, whatever made the answers slow."""
        return max(0.0, self.apart_s - self.within_s)

    @property
    def holds(self) -> bool | None:
        """None: the answers took too long to tell."""
        if self.least_s > APART_S:
            return False
        return True if self.apart_s + self.within_s <= APART_S else None

    @property
    def words(self) -> str:
        first, second = self.names
        said = (
            f"The clocks of {first} and {second} are {self.apart_s:.2f} s apart, "
            f"known to within {self.within_s:.2f} s."
        )
        return said if self.holds is not None else f"{said} That is too vague to judge them."


def compare(processes: Iterable[ProcessSnapshot]) -> Apart | None:
    """None: no process has told of its clock. Of a machine its surest reading counts: all its
    processes have one clock.
    """
    surest: dict[str, ClockReading] = {}
    for process in processes:
        host, reading = process.incarnation.split(":", 1)[0], process.clock
        known = surest.get(host)
        if reading is not None and (known is None or reading.within_s < known.within_s):
            surest[host] = reading
    if not surest:
        return None
    clocks = [*surest.items(), (_SERVER, ClockReading(ahead_s=0.0, within_s=0.0))]
    found = [
        Apart(
            names=(one, other),
            apart_s=abs(a.ahead_s - b.ahead_s),
            within_s=a.within_s + b.within_s,
        )
        for (one, a), (other, b) in combinations(clocks, 2)
    ]
    order = {False: 0, None: 1, True: 2}
    return min(found, key=lambda pair: (order[pair.holds], -pair.least_s, -pair.apart_s))
