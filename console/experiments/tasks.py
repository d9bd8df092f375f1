"""Celery's side of experiments: a worker child begins one, and validates on.

The work itself is a process of its own. A child is one of few, and each validates with six threads
around one loop: for minutes of blocks the fleet would lack it, its own traffic would be in the
figures, and its memory's guard would see the experiment's engines. So one message costs a child a
start of a process; that one at a time runs in the whole fleet is the table's constraint.
"""

from datetime import timedelta
from typing import Final

import kombu.exceptions
import structlog
from celery import shared_task
from django.db import Error, InterfaceError
from django.db.models.functions import Now
from psycopg_pool import PoolTimeout, TooManyRequests

from console.experiments import beside, running
from console.experiments.models import Experiment, State

log = structlog.get_logger(__name__)

_OVERDUE_S: Final = 15.0
_BROKER_DOWN: Final = (kombu.exceptions.OperationalError, OSError)


def ring(pk: int) -> None:
    """A broker that is down only makes it later: beat rings again for what waits."""
    try:
        begin.apply_async((pk,), retry=False)
    except _BROKER_DOWN as exc:
        log.warning("broker.unreachable", error=type(exc).__name__)


@shared_task(name="experiments.begin", ignore_result=True, expires=60)  # type: ignore[untyped-decorator]
def begin(pk: int) -> None:
    """Twice for the same is once: only one that waits is begun."""
    beside.begin("experiment", "--run", str(pk), "--json")


@shared_task(name="experiments.look", ignore_result=True, expires=20)  # type: ignore[untyped-decorator]
def look() -> None:
    """Those whose runner is gone were interrupted; the next that waits begins."""
    try:
        running.expire()
        is_busy = Experiment.objects.filter(state=State.RUNNING).exists()
        # One that was just made is somebody's who begins it at a terminal, or has rung already.
        due = Now() - timedelta(seconds=_OVERDUE_S)
        queued = Experiment.objects.filter(state=State.QUEUED, created_at__lt=due)
        waiting = None if is_busy else queued.order_by("pk").first()
    except (Error, InterfaceError, PoolTimeout, TooManyRequests) as exc:
        log.warning("database.unreachable", error=type(exc).__name__)
        return
    if waiting is not None:
        ring(waiting.pk)
