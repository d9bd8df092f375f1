"""Which metrics there are, and which an expression of PromQL names."""

import re

from monitoring import collected, instruments
from monitoring.alerts.rules_file import RECORDS

_NAMED = re.compile(r"switchyard[_:][a-z0-9_:]+")


def known() -> set[str]:
    """As a scraper stores them, histograms by their three series."""
    found = {*collected.GAUGES, *instruments.GAUGES, *RECORDS}
    found |= {f"{name}_total" for name in (*collected.COUNTERS, *instruments.COUNTED_ELSEWHERE)}
    for family in instruments.REGISTRY.collect():
        if family.type == "histogram":
            found |= {f"{family.name}_{part}" for part in ("bucket", "count", "sum")}
        else:
            found.add(f"{family.name}_total")
    return found


def named(expression: str) -> set[str]:
    found = set(_NAMED.findall(expression))
    assert found, expression
    return found
