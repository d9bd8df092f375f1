"""Whose turn it is to measure: experiments and drills would measure each other."""

from typing import Any, Final

from django.db import connection
from django.db.models.functions import Now

from console.experiments.models import Experiment

RUNNING: Final = "running"
_LOCK: Final = 0x0A9F
_takers: list[type[Any]] = [Experiment]


def register(taker: type[Any]) -> None:
    """At start: rows of it that are in `state` "running" have the turn until `lease_until`, by the
    database's clock.
    """
    if taker not in _takers:
        _takers.append(taker)


def of_others(mine: type[Any]) -> str:
    """Which row of another kind has the turn; "": none. Nobody else takes it before the caller's
    transaction ends.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    for taker in _takers:
        if taker is not mine:
            has_it = taker.objects.filter(state=RUNNING, lease_until__gt=Now())
            if (row := has_it.first()) is not None:
                return str(row)
    return ""
