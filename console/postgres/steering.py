"""Has the primary's pool and all pooled sessions be as the web process's flags decided."""

import os

import structlog
from django.conf import settings
from django.db import connections

from console.postgres.formulas import FORMULAS, Sizes, by_deployment
from console.postgres.lending import TIMEOUTS, lender_of

log = structlog.get_logger(__name__)


def sizes_of(formula: str) -> Sizes:
    """That of another release, which this one has not, is as the deployment says."""
    return FORMULAS.get(formula, by_deployment)(os.cpu_count() or 1, settings.DB_POOL_MAX)


def steer(formula: str, statement_ms: int) -> None:
    """A larger pool grows at once; a smaller one makes no more, and gives back what stays unused,
    one connection each ten seconds. Open ones are told of timeouts when next lent.
    """
    pool = getattr(connections["default"], "pool", None)
    if pool is None:
        return  # not the web process
    _set_timeouts(statement_ms)
    sizes = sizes_of(formula)
    pool.open()
    lender_of(pool.name).watch(pool)
    pool.max_waiting = sizes.waiting
    pool.resize(sizes.least, sizes.most)
    log.info(
        "database.pool_steered",
        formula=formula, least=sizes.least, most=sizes.most, statement_ms=TIMEOUTS.statement_ms,
    )  # fmt: skip


def _set_timeouts(statement_ms: int) -> None:
    try:
        TIMEOUTS.set(statement_ms)
    except ValueError as exc:
        log.warning("database.timeouts_refused", reason=str(exc), holds=TIMEOUTS.statement_ms)
