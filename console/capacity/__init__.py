"""Whether the numbers can work: every limit from a worker's sockets to `max_connections`.

Enters: what processes and collectors tell (`live`), or numbers that somebody gives (`inputs`).
Leaves: `Limit`s, violations first; what a flag's stage would violate (`foresee`); whether ten
instances could run (`readiness`); an alert's figures. Asks Valkey and the kernel, no server, but
for readiness, which asks Postgres. Depends on `console.fleetview`, `console.pgbouncer` and
`monitoring`; pages, API, commands and the guards of flags depend on it.
"""

from console.capacity.foreseeing import foresee
from console.capacity.inputs import Inputs, NotNumbers, given
from console.capacity.judging import judge, unknown, violated, what_if
from console.capacity.limit import Limit
from console.capacity.standing import MOST_WORKERS, RULE, Capacity, capacity, limits, observations

__all__ = [
    "MOST_WORKERS",
    "RULE",
    "Capacity",
    "Inputs",
    "Limit",
    "NotNumbers",
    "capacity",
    "foresee",
    "given",
    "judge",
    "limits",
    "observations",
    "unknown",
    "violated",
    "what_if",
]
