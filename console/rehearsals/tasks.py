"""Celery's side of drills: one message costs a worker child the start of a process, no more."""

from datetime import timedelta
from typing import Final

import kombu.exceptions
import structlog
from celery import shared_task
from django.db import Error, InterfaceError, transaction
from django.db.models.functions import Now
from psycopg_pool import PoolTimeout, TooManyRequests

from console.experiments import beside, turns
from console.rehearsals import running
from console.rehearsals.models import Rehearsal, State

log = structlog.get_logger(__name__)

_OVERDUE_S: Final = 5.0
_BROKER_DOWN: Final = (kombu.exceptions.OperationalError, OSError)


def ring(pk: int) -> None:
    """A broker that is down only makes it later: beat rings again for what waits."""
    try:
        begin.apply_async((pk,), retry=False)
    except _BROKER_DOWN as exc:
        log.warning("broker.unreachable", error=type(exc).__name__)


@shared_task(name="rehearsals.begin", ignore_result=True, expires=60)  # type: ignore[untyped-decorator]
def begin(pk: int) -> None:
    """Twice for the same is once: only one that waits is begun."""
    beside.begin("rehearse", "--run", str(pk), "--json")


@shared_task(name="rehearsals.look", ignore_result=True, expires=20)  # type: ignore[untyped-decorator]
def look() -> None:
    """Those whose runner is gone were interrupted; the next that waits begins, when it is a drill's
    turn.
    """
    try:
        running.expire()
        waiting = _next()
    except (Error, InterfaceError, PoolTimeout, TooManyRequests) as exc:
        log.warning("database.unreachable", error=type(exc).__name__)
        return
    if waiting is not None:
        ring(waiting.pk)


def _next() -> Rehearsal | None:
    if Rehearsal.objects.filter(state=State.RUNNING).exists():
        return None
    # One that was just made is somebody's who begins it at a terminal, or has rung already.
    due = Now() - timedelta(seconds=_OVERDUE_S)
    queued = Rehearsal.objects.filter(state=State.QUEUED, created_at__lt=due).order_by("pk").first()
    if queued is None:
        return None
    with transaction.atomic():
        return None if turns.of_others(Rehearsal) else queued
