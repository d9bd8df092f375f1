"""What operators want of the engine, and which processes there are to want it of."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class ControlKind(models.TextChoices):
    BREAKER = "breaker"
    L1 = "l1"
    PURGE = "purge"
    # One row, named "": its revision says that the table of nodes changed.
    NODES = "nodes"
    # As that, of the flags, which the console keeps.
    FLAGS = "flags"


class Control(models.Model):
    """What operators want of one breaker, of L1, or to be purged: every process obeys.

    The truth of each override; processes read what is newer than they know and acknowledge the
    number. One row a breaker and one for L1, replaced at each change; a purge is a row of its own.
    """

    kind = models.CharField(max_length=8, choices=ControlKind)
    # The breaker's name, "" for L1, the tag of a purge.
    name = models.CharField(max_length=160, blank=True)
    # Of a breaker: forced_open, forced_closed, metrics_only, disabled; "" leaves it to itself.
    mode = models.CharField(max_length=16, blank=True)
    # Thresholds of a breaker, or entries and bytes of L1, that replace the configured ones until
    # `tuned_until`; those in `lasting` hold beneath them, and after they ended.
    settings = models.JSONField(default=dict, blank=True)
    lasting = models.JSONField(db_default={}, default=dict, blank=True)
    revision = models.BigIntegerField(unique=True)
    # The revision of the last reset: each process that lived then starts the breaker afresh once.
    reset_revision = models.BigIntegerField(default=0)
    reason = models.CharField(max_length=500)
    actor = models.CharField(max_length=160)
    changed_at = models.DateTimeField(db_default=Now())
    # The end of `mode`, and of `settings`; null where there is none to end. Two, because forcing
    # a breaker for longer must not tune it for longer, nor the other way round.
    expires_at = models.DateTimeField(null=True, blank=True)
    tuned_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("kind", "name"), condition=~Q(kind="purge"), name="control_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.mode or 'auto'} (revision {self.revision})"


class ControlRevision(models.Model):
    """One row: the newest revision. Raised in the transaction of the change that it numbers, so
    that revisions become visible in their order and none is skipped.
    """

    value = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.value)


class Slot(models.Model):
    """The number of one living process among those of its fleet: what a stage of processes ranks.

    Leased, and taken over by whoever comes when its holder is silent for `slots.LEASE_S`.
    """

    pk = models.CompositePrimaryKey("fleet", "number")
    # "worker" or "web".
    fleet = models.CharField(max_length=8)
    number = models.PositiveIntegerField()
    holder = models.CharField(max_length=100)
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = (models.UniqueConstraint(fields=("fleet", "holder"), name="slot_of_holder"),)

    def __str__(self) -> str:
        return f"{self.fleet} {self.number}: {self.holder}"
