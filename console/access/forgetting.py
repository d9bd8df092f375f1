"""Dropping the oldest acts of the audit trail, for who owns it; the rest stays a whole chain.

Only the owner's role may (migration 0009): the application's reads and adds rows, and nothing that
it could be made to do removes one. The record of it, an entry of the chain like any other, names
the last row that went and its hash: there the chain begins from then on (`chain.start`).
"""

from datetime import datetime

import psycopg
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from console.access.audit import TOPIC, Actor
from monitoring import events

_CONNECT_S = 5
type _Values = list[datetime | int | str]


class NotDropped(Exception):
    """Acts could not be dropped; the text says why, and what to do."""


def forget(actor: Actor, before: datetime, *, most: int, why: str) -> int:
    """Drops acts before that time, so many at most, as far as no later act takes one of them back.
    Returns how many.
    """
    values: _Values = [before, most, actor.name, actor.role.value, actor.origin, actor.source, why]
    found = _as_owner(values) if settings.DATABASE_OWNER_URL else _as_ourselves(values)
    if found:
        events.publish(TOPIC)
    return found


def _as_ourselves(values: _Values) -> int:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_LIMITS)
            cursor.execute(_FORGET, values)
            return int(cursor.fetchone()[0])
    except DatabaseError as exc:
        if isinstance(exc.__cause__, psycopg.errors.InsufficientPrivilege):
            raise NotDropped(_REFUSED) from exc
        if isinstance(exc.__cause__, _LATER):
            raise NotDropped(_BUSY) from exc
        raise


def _as_owner(values: _Values) -> int:
    """On a connection of its own, as the role that migrates."""
    try:
        with (
            psycopg.connect(settings.DATABASE_OWNER_URL, connect_timeout=_CONNECT_S) as owner,
            owner.cursor() as cursor,
        ):
            cursor.execute(_LIMITS)
            row = cursor.execute(_FORGET, values).fetchone()
            return int(row[0]) if row else 0
    except psycopg.errors.InsufficientPrivilege as exc:
        raise NotDropped(_REFUSED) from exc
    except _LATER as exc:
        raise NotDropped(_BUSY) from exc
    except psycopg.OperationalError as exc:
        raise NotDropped(_AWAY) from exc


# All acts wait while it runs; it does not run for long, nor wait for who writes one.
_LIMITS = """
SELECT set_config('lock_timeout', '1s', true), set_config('statement_timeout', '10s', true)
"""
_LATER = (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled)
_BUSY = "acts are being written, or there are too many to drop at once: it is tried again"
_FORGET = "SELECT access_audit_forget(%s, %s, %s, %s, %s, %s, %s)"
_REFUSED = (
    "the role that is connected does not own the audit trail: run manage.py retention with "
    "DATABASE_OWNER_URL set"
)
_AWAY = "DATABASE_OWNER_URL: Postgres does not answer there, or refuses the role"
