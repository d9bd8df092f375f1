"""A PgBouncer configuration that fits the fleet: what it opens, what Postgres grants, what follows.

In: numbers of the fleet, and of the server as it runs now. Out: sizes and the text of an ini file,
or `Unfit` with the reason. Depends on `monitoring` alone; nothing here speaks to PgBouncer.
"""

from console.pgbouncer.fleet import Beside, Fleet
from console.pgbouncer.ini import Place, written
from console.pgbouncer.server import Server, ThroughPooler, look
from console.pgbouncer.sizes import Mode, Room, Sizes, Unfit, fit

__all__ = [
    "Beside",
    "Fleet",
    "Mode",
    "Place",
    "Room",
    "Server",
    "Sizes",
    "ThroughPooler",
    "Unfit",
    "fit",
    "look",
    "written",
]
