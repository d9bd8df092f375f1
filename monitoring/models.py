"""Counters that outlive the processes that counted."""

from django.db import models
from django.db.models.functions import Now


class Incarnation(models.Model):
    """The counters of one process from its start to its end, as it last told them.

    Replaced by what is newer, never added to: folding the same snapshot twice counts nothing twice.
    Old ones are added up into one row; each leaves its id behind for a while, so that a snapshot
    that comes late is known as counted.
    """

    # host:pid:start, never used again; `monitoring.incarnations.SUM` for those added up.
    id = models.CharField(max_length=160, primary_key=True)
    kind = models.CharField(max_length=8)
    # Of the snapshot folded last; an older one never replaces a newer.
    sequence = models.BigIntegerField()
    # [[name, {label: value}, number], …]
    counters = models.JSONField(default=list)
    # It said its last word: nothing that it counted is missing.
    ended = models.BooleanField(default=False)
    # It did not: what it counted in its last second is not known.
    silent_since = models.DateTimeField(null=True)
    # Its counters are in the sum, and here no more.
    compacted = models.BooleanField(default=False)
    folded_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = (
            models.Index("id", name="incarnation_counted", condition=models.Q(compacted=False)),
        )

    def __str__(self) -> str:
        return self.id
