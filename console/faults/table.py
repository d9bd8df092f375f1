"""The faults by name."""

from collections.abc import Mapping
from typing import Final

from console.faults import (
    cache_loss,
    memory_growth,
    node_outage,
    pgbouncer_mismatch,
    pool_exhaustion,
    replica_lag,
)
from console.faults.fault import Fault

_ALL = (pool_exhaustion, replica_lag, pgbouncer_mismatch, cache_loss, node_outage, memory_growth)
FAULTS: Final[Mapping[str, Fault]] = {module.FAULT.name: module.FAULT for module in _ALL}
