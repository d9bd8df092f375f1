"""Celery's side of flags: what beat asks for each second."""

import redis
import structlog
from celery import shared_task
from django.db import Error, InterfaceError
from psycopg_pool import PoolTimeout, TooManyRequests

from console.flags import evaluations, plans

log = structlog.get_logger(__name__)

_AWAY = (Error, InterfaceError, PoolTimeout, TooManyRequests)


@shared_task(name="flags.run_plans", ignore_result=True, expires=5)  # type: ignore[untyped-decorator]
def run_plans() -> None:
    """What is due and could not be done now is due still in a second."""
    try:
        plans.run_due()
    except _AWAY as exc:
        log.warning("plans.not_run", error=type(exc).__name__)


@shared_task(name="flags.count", ignore_result=True, expires=10)  # type: ignore[untyped-decorator]
def count() -> None:
    try:
        evaluations.take()
    except redis.RedisError as exc:
        log.warning("evaluations.not_read", error=type(exc).__name__)
