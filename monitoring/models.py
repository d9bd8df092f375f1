"""Counters that outlive the processes that counted."""

from django.db import models
from django.db.models.functions import Now


class Incarnation(models.Model):
    """The counters of one process from its start to its end, as it last told them.

    Replaced by what is newer, never added to: folding the same snapshot twice counts nothing twice.
    """

    # host:pid:start, never used again.
    id = models.CharField(max_length=160, primary_key=True)
    kind = models.CharField(max_length=8)
    # Of the snapshot folded last; an older one never replaces a newer.
    sequence = models.BigIntegerField()
    # [[name, {label: value}, number], …]
    counters = models.JSONField(default=list)
    # False: it fell silent, and what it counted in its last second is not known.
    ended = models.BooleanField(default=False)
    folded_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.id
