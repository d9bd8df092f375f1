"""Flags as operators want them, what is planned for them, and when nothing may be raised."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Unit(models.TextChoices):
    """What a stage splits."""

    ITEM = "item", "items, by hash"
    PROCESS = "process", "processes, by rank"
    TIME_SLOT = "time_slot", "time slots, by hash"


class Flag(models.Model):
    """One flag. Units within the stage get `target`, the others `rest`; what flagd would read of it
    is computed (`console.flags.compiling`). `baseline` is where a rollback ends.

    A flag that another service brought with targeting of its own has no stage: `targeting` is
    given on as it is, and `rest` is its default variant.
    """

    key = models.CharField(max_length=100, primary_key=True)
    title = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    # "string", "integer", "float", "boolean" or "object": of each variant's value.
    type = models.CharField(max_length=8)
    # Off: whoever asks gets its own default.
    enabled = models.BooleanField(default=True)
    # {variant: value}, the baseline first.
    variants = models.JSONField()
    baseline = models.CharField(max_length=60)
    target = models.CharField(max_length=60)
    rest = models.CharField(max_length=60)
    # Percent of the units that get `target`.
    stage = models.PositiveSmallIntegerField(default=0)
    unit = models.CharField(max_length=9, choices=Unit, default=Unit.ITEM)
    # The units that a page offers; what of them a change may choose.
    units = models.JSONField(default=list, blank=True)
    slot_s = models.PositiveIntegerField(default=60)
    # Whose processes it splits: "worker", "web", or "" for other services.
    fleet = models.CharField(max_length=8, blank=True)
    # Of flags in one layer only one at a time may stand between 0 and 100.
    layer = models.CharField(max_length=40, blank=True)
    # [{"flag", "variant"}]: in force everywhere, or this flag counts as at stage 0.
    requires = models.JSONField(default=list, blank=True)
    # Seconds that a stage is to bake before the next: {"5": 600, "25": 600, "50": 600}.
    bake_s = models.JSONField(default=dict, blank=True)
    targeting = models.JSONField(null=True, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    # Of this release: it may be staged, not deleted. `wired`: something of ours reads it.
    builtin = models.BooleanField(default=False)
    wired = models.BooleanField(default=False)
    revision = models.BigIntegerField(default=0)
    # Since when the stage, target and rest are as they are.
    staged_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())
    reason = models.CharField(max_length=500, blank=True)
    actor = models.CharField(max_length=160, blank=True)

    class Meta:
        ordering = ("key",)
        constraints = (
            models.CheckConstraint(condition=Q(stage__lte=100), name="flag_stage_is_percent"),
        )

    def __str__(self) -> str:
        return f"{self.key}: {self.target} on {self.stage} %, {self.rest} else"

    @property
    def is_partial(self) -> bool:
        """Some units have the target and some have not."""
        return 0 < self.stage < 100 and self.target != self.rest  # noqa: PLR2004 - percent

    def value_of(self, variant: str) -> Any:
        return self.variants[variant]


class PlannedStage(models.Model):
    """A stage that is to be set by itself at a time, as long as nobody else changed the flag."""

    class State(models.TextChoices):
        WAITING = "waiting"
        DONE = "done"
        # Somebody changed the flag, the plan was taken back, or it could not be done.
        LAPSED = "lapsed"
        CANCELLED = "cancelled"
        REFUSED = "refused"

    flag = models.ForeignKey(Flag, on_delete=models.CASCADE, related_name="plans")
    at = models.DateTimeField(db_index=True)
    stage = models.PositiveSmallIntegerField()
    # Of the flag: which change by somebody else makes the plan lapse. Raised as the plan goes on.
    based_on = models.BigIntegerField()
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    reason = models.CharField(max_length=500)
    actor = models.CharField(max_length=160)
    role = models.CharField(max_length=8)
    # By which way it was planned, and from where: its steps' audit entries say so too.
    origin = models.CharField(max_length=8, blank=True, db_default="")
    token = models.CharField(max_length=80, blank=True, db_default="")
    source = models.CharField(max_length=160, blank=True, db_default="")
    trace_id = models.CharField(max_length=32, blank=True, db_default="")
    settled_at = models.DateTimeField(null=True, blank=True)
    # Why it was not done.
    note = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ("at", "id")
        indexes = (
            models.Index(fields=("at",), condition=Q(state="waiting"), name="plan_due"),
            models.Index(fields=("settled_at",), name="plan_settled"),
        )

    def __str__(self) -> str:
        return f"{self.flag_id} to {self.stage} % at {self.at:%Y-%m-%d %H:%M:%S}: {self.state}"


class Freeze(models.Model):
    """Until when no stage may be raised: of one flag, or of all (key ""). Lowering stays free,
    switching off does not: then whoever asks gets its own default.
    """

    key = models.CharField(max_length=100, primary_key=True, blank=True)
    until = models.DateTimeField()
    reason = models.CharField(max_length=500)
    actor = models.CharField(max_length=160)
    changed_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.key or 'all flags'} until {self.until:%Y-%m-%d %H:%M:%S}"
