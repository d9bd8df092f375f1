"""Celery's side of retention: what beat asks for."""

import socket

import structlog
from celery import shared_task
from django.db import Error, InterfaceError
from psycopg_pool import PoolTimeout, TooManyRequests

from console.access.audit import Actor
from console.access.roles import Role
from console.retention.dropping import drop_too_much
from console.retention.dropping import turn as one_turn
from console.retention.policy import by_postgres

log = structlog.get_logger(__name__)


_AWAY = (Error, InterfaceError, PoolTimeout, TooManyRequests)


@shared_task(name="retention.turn", ignore_result=True, expires=60)  # type: ignore[untyped-decorator]
def turn() -> None:
    """What cannot be dropped now is dropped in the next turn."""
    try:
        done = one_turn(_actor(), now=by_postgres())
    except _AWAY as exc:
        log.warning("retention.not_done", error=type(exc).__name__)
        return
    for each in done:
        if each.lacks:
            log.warning("retention.not_dropped", what=each.target, said=each.lacks)
        elif each.dropped:
            log.info("retention.dropped", what=each.target, number=each.dropped)


@shared_task(name="retention.make_room", ignore_result=True, expires=300)  # type: ignore[untyped-decorator]
def make_room() -> None:
    """Seldom: where there is too much evidence all of it is looked at."""
    try:
        if number := drop_too_much(_actor()):
            log.info("retention.made_room", number=number)
    except _AWAY as exc:
        log.warning("retention.not_done", error=type(exc).__name__)


def _actor() -> Actor:
    host = socket.gethostname()
    return Actor(name="retention", role=Role.ADMIN, origin="beat", source=host[:160])
