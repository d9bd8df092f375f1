"""Rollouts, what was decided of each and why, and whether rollouts go on by themselves at all."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

KIND = "rollout"
"""Of what is done to one, in the trail."""


class State(models.TextChoices):
    # Its drill runs; the flag is as it was.
    REHEARSING = "rehearsing", "rehearsing"
    RUNNING = "running", "running"
    # It stays where it is; `held_for` says why. Its guards are watched all the same.
    HELD = "held", "held"
    # As held, because too many were taken back: an operator is to look first.
    STOPPED = "stopped", "stopped"
    DONE = "done", "done"
    # Taken back by itself.
    ROLLED_BACK = "rolled_back", "rolled back"
    # Ended by an operator: taken back, or left as they changed the flag.
    ABORTED = "aborted", "aborted"


ACTIVE = (State.REHEARSING, State.RUNNING, State.HELD, State.STOPPED)


class HeldFor(models.TextChoices):
    NOTHING = "", ""
    OPERATOR = "operator", "an operator holds it"
    MISSING = "missing", "nothing is measured"
    REFUSED = "refused", "the stage is refused"


class Rollout(models.Model):
    """One flag's way to `target`. Units outside the stage keep `rest`, which they had before."""

    flag = models.CharField(max_length=100, db_index=True)
    target = models.CharField(max_length=60)
    rest = models.CharField(max_length=60)
    unit = models.CharField(max_length=9)
    # "worker" or "web": whose processes tell of it.
    fleet = models.CharField(max_length=8)
    layer = models.CharField(max_length=40, blank=True)
    # Percent, rising; and the seconds that each is to bake.
    stages = models.JSONField()
    bake_s = models.PositiveIntegerField()
    # [{"metric", "most"}], ids of gates, units that an arm needs in a window.
    guards = models.JSONField()
    gates = models.JSONField(default=list, blank=True)
    least_units = models.PositiveIntegerField()
    state = models.CharField(max_length=11, choices=State, default=State.RUNNING)
    held_for = models.CharField(max_length=8, choices=HeldFor, blank=True, default="")
    # Percent that it set last; where it began: 0, or what an operator had set.
    stage = models.PositiveSmallIntegerField(default=0)
    began_at_stage = models.PositiveSmallIntegerField(default=0)
    # Since when the stage bakes: nothing was bad, missing or held from then on. And whether it has
    # baked once: then missing data holds it, and does not take it back.
    baking_since = models.DateTimeField(null=True, blank=True)
    has_baked = models.BooleanField(default=False)
    missing_since = models.DateTimeField(null=True, blank=True)
    # Of the flag, as this rollout left it: any other is somebody's own change.
    flag_revision = models.BigIntegerField()
    # Counts up with all that is done to it, for who acts on what they saw.
    revision = models.BigIntegerField(default=1)
    # Why it waits, or how it ended, in a sentence; and the numbers last seen.
    why = models.TextField(blank=True)
    numbers = models.JSONField(default=list, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    # The windows that the next decision rests on: `records.Record`, packed.
    record = models.BinaryField(default=b"", blank=True)
    reason = models.CharField(max_length=500)
    actor = models.CharField(max_length=160)
    role = models.CharField(max_length=8)
    origin = models.CharField(max_length=8, blank=True, db_default="")
    token = models.CharField(max_length=80, blank=True, db_default="")
    source = models.CharField(max_length=160, blank=True, db_default="")
    created_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=["flag"], condition=Q(state__in=ACTIVE), name="rollout_one_of_a_flag"
            ),
            # Of two that interfere nobody could tell which did what.
            models.UniqueConstraint(
                fields=["layer"],
                condition=Q(state__in=ACTIVE) & ~Q(layer=""),
                name="rollout_one_of_a_layer",
            ),
        )
        indexes = (models.Index(fields=["ended_at"], name="rollout_ended"),)

    def __str__(self) -> str:
        return f"rollout-{self.pk}"

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE

    @property
    def next_stage(self) -> int | None:
        return next((int(stage) for stage in self.stages if stage > self.stage), None)


class RolloutStep(models.Model):
    """One decision, as it was made: never rewritten."""

    rollout = models.ForeignKey(Rollout, on_delete=models.CASCADE, related_name="steps")
    at = models.DateTimeField(db_default=Now())
    # "start", "advance", "done", "hold", "resume", "roll_back", "abort", "stop".
    decision = models.CharField(max_length=12)
    stage = models.PositiveSmallIntegerField()
    why = models.TextField()
    numbers = models.JSONField(default=list, blank=True)
    flag_revision = models.BigIntegerField()
    # "" where it decided by itself.
    actor = models.CharField(max_length=160, blank=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.rollout_id}: {self.decision} at {self.stage} %"


class Automation(models.Model):
    """The one row that says whether rollouts go on by themselves."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    stopped_at = models.DateTimeField(null=True, blank=True)
    why = models.TextField(blank=True)
    # Rollbacks before it count no more: an operator has looked.
    looked_at = models.DateTimeField(null=True, blank=True)
    actor = models.CharField(max_length=160, blank=True)

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(id=1), name="rollout_automation_one"),)

    def __str__(self) -> str:
        return "stopped" if self.stopped_at else "on"
