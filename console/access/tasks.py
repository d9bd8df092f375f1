"""Celery's side of access: what beat asks for."""

import structlog
from celery import shared_task
from django.db import Error, InterfaceError
from psycopg_pool import PoolTimeout, TooManyRequests

from console.access import watch

log = structlog.get_logger(__name__)


@shared_task(name="access.check_audit", ignore_result=True, expires=25)  # type: ignore[untyped-decorator]
def check_audit() -> None:
    """Whether the audit trail is whole. What cannot be asked now, half a minute later."""
    try:
        watch.check()
    except (Error, InterfaceError, PoolTimeout, TooManyRequests) as exc:
        log.warning("audit.not_checked", error=type(exc).__name__)
