"""How long each statement of Django's took, failed ones too, on whichever connection."""

import time
from collections.abc import Callable
from typing import Any

from monitoring.instruments import DB_QUERY_DURATION

type Execute = Callable[[str, Any, bool, dict[str, Any]], Any]


def timed(execute: Execute, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """A wrapper as Django's connections take them."""
    started = time.perf_counter()
    try:
        return execute(sql, params, many, context)
    finally:
        DB_QUERY_DURATION.observe(time.perf_counter() - started)
