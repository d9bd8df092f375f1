"""Celery's side of the figures: what beat asks for."""

import redis
import structlog
from celery import shared_task

from monitoring import celery_counts, incarnations

# Its receivers are connected by importing it.
__all__ = ["celery_counts", "fold"]

log = structlog.get_logger(__name__)


@shared_task(name="monitoring.fold", ignore_result=True, expires=10)  # type: ignore[untyped-decorator]
def fold() -> None:
    """Carries what processes counted over to Postgres; what cannot be asked now, later."""
    try:
        incarnations.sweep()
    except (redis.RedisError, *incarnations.AWAY) as exc:
        log.warning("counters.not_folded", error=type(exc).__name__)
