"""Celery's side: messages that only ring, and the signals that give each child its worker."""

import os
import time
from collections.abc import Callable
from typing import Any

import kombu.exceptions
import structlog
from billiard.pool import EX_RECYCLE
from celery import current_app, shared_task
from celery.signals import worker_process_init, worker_process_shutdown
from django.conf import settings

from monitoring import snapshots
from monitoring import tracing as spans
from monitoring.instruments import QUEUE_WAIT
from monitoring.publisher import Publisher
from validation import ballast, drag, retention, tracing, wiring
from validation.heeding import DATABASE_AWAY
from validation.ledger import Ledger
from validation.models import RemovedNode
from validation.worker import Worker

log = structlog.get_logger(__name__)

_BROKER_DOWN = (kombu.exceptions.OperationalError, OSError)
# By the clock of whoever rang; hosts agree within what matters to a queue.
_SENT_AT = "sent_at"
_worker: Worker | None = None
_publisher: Publisher | None = None
_end_tracing: Callable[[], None] | None = None


@shared_task(name="validation.drain", max_retries=3, bind=True)
def drain(self: Any) -> None:
    """Works off chunks for a while and rings again where there may be more."""
    sent_at = self.request.get(_SENT_AT)
    if isinstance(sent_at, int | float):
        QUEUE_WAIT.observe(max(0.0, time.time() - sent_at))
        tracing.rung(self.request.get("traceparent"), sent_at)
    try:
        if _this_worker().drain():
            ring(1)
    except DATABASE_AWAY as exc:
        # The attendant looks again every two seconds; nothing is lost meanwhile.
        log.warning("database.unreachable", error=type(exc).__name__)


@shared_task(name="validation.sweep", ignore_result=True, expires=10)
def sweep() -> None:
    """Takes back what dead workers held, and wakes the fleet for it."""
    ledger = Ledger(wiring.connect, "sweeper")
    try:
        if expired := ledger.expire():
            ring(expired)
    finally:
        ledger.close()


@shared_task(name="validation.forget_old_drafts")
def forget_old_drafts() -> None:
    retention.forget_old_drafts()
    retention.forget_orphans()
    retention.forget_catches()
    RemovedNode.objects.forget()


def ring(chunks: int) -> None:
    """Wakes as many workers as there is work for. A broker that is down only makes it slower."""
    headers = {_SENT_AT: time.time(), **tracing.headers()}
    try:
        for _ in range(min(chunks, fleet_size())):
            drain.apply_async(retry=False, headers=headers)
    except _BROKER_DOWN as exc:
        log.warning("broker.unreachable", error=type(exc).__name__)


def dial() -> None:
    """Connects to the broker ahead of the first wake-up, which would wait half a second."""
    try:
        with current_app.producer_or_acquire() as producer:
            producer.connection.ensure_connection(max_retries=1, timeout=1)
    except _BROKER_DOWN as exc:
        log.warning("broker.unreachable", error=type(exc).__name__)


def fleet_size() -> int:
    return int(settings.WORKERS)


@worker_process_init.connect
def _start_worker(**_: object) -> None:
    """In the child, after the fork: threads, loops and connections do not survive one."""
    _this_worker()


def _this_worker() -> Worker:
    """The worker of this process; a pool that does not fork sends no signal, and makes it here."""
    global _worker, _publisher, _end_tracing  # noqa: PLW0603 - a process is one worker
    if _worker is None:
        _end_tracing = spans.begin("worker")
        engine = wiring.fleet_engine()
        ledger = Ledger(wiring.connect, snapshots.worker_id(), timeouts=engine.timeouts)
        _worker = Worker(ledger, engine, flags=wiring.flag_source(), recycle=_recycle)
        _worker.start()
        if settings.DEVELOPMENT:
            ballast.begin(_worker.id, own_limit=settings.WORKER_MEMORY_MB << 20)
            drag.begin()
        _publisher = Publisher("worker", counts=engine.arms)
        _publisher.start()
    return _worker


def _recycle() -> None:
    """Ends this process in good order, with its last word, by the status for which its parent makes
    another and complains to nobody. A wake-up that it hears meanwhile is delivered again.
    """
    try:
        _stop_worker()
    finally:
        os._exit(EX_RECYCLE)


@worker_process_shutdown.connect
def _stop_worker(**_: object) -> None:
    try:
        if _worker is not None:
            _worker.stop()
    finally:
        if _publisher is not None:
            _publisher.stop()  # last: what ends still counts
        if _end_tracing is not None:
            _end_tracing()
