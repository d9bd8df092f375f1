"""Experiments and their raw figures."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

KIND = "experiment"
"""Of what is measured, in the trail."""


class State(models.TextChoices):
    QUEUED = "queued", "waiting"
    RUNNING = "running", "running"
    DONE = "done", "done"
    # Its workload did not come back as it should: what was measured is no evidence.
    FAILED = "failed", "failed"
    CANCELLED = "cancelled", "cancelled"
    # Whoever ran it is gone.
    INTERRUPTED = "interrupted", "interrupted"


class Experiment(models.Model):
    """One measurement of one claim. The claim is kept as it was then: its file may change."""

    claim = models.CharField(max_length=80, db_index=True)
    claimed = models.JSONField()
    optimisations = models.JSONField(default=list)
    flag = models.CharField(max_length=100)
    baseline = models.CharField(max_length=60)
    treatment = models.CharField(max_length=60)
    pairs = models.PositiveSmallIntegerField()
    seed = models.BigIntegerField()
    state = models.CharField(max_length=11, choices=State, default=State.QUEUED)
    cancel_asked = models.BooleanField(default=False)
    # Until when nobody may doubt that it still runs; renewed with each block.
    lease_until = models.DateTimeField(null=True, blank=True)
    actor = models.CharField(max_length=160)
    created_at = models.DateTimeField(db_default=Now())
    began_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    blocks_wanted = models.PositiveIntegerField(default=0)
    # "" unless it is done: "proved", "refuted" or "inconclusive".
    verdict = models.CharField(max_length=12, blank=True)
    # Why the verdict, or why there is none.
    why = models.TextField(blank=True)
    # {"effect", "noise", "carry_over", "guards"}: what the verdict rests on.
    found = models.JSONField(default=dict, blank=True)
    machine = models.JSONField(default=dict, blank=True)
    code_revision = models.CharField(max_length=120, blank=True)
    flag_revision = models.BigIntegerField(default=0)
    # Made by whoever released this, elsewhere, and never changed here: its raw figures are in the
    # release's file (`shipped`), and no rows.
    shipped = models.BooleanField(default=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["claim"], condition=Q(shipped=True), name="experiment_one_shipped_a_claim"
            ),
            # Two at a time would measure each other.
            models.UniqueConstraint(
                fields=["state"], condition=Q(state="running"), name="experiment_one_runs"
            ),
        )
        indexes = (models.Index(fields=["claim", "-id"]),)

    def __str__(self) -> str:
        return f"experiment-{self.pk}"


class ExperimentBlock(models.Model):
    """One arm's turn, as it was measured: nothing of it is ever rewritten."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="blocks")
    # In the order in which they ran, from 0.
    ordinal = models.PositiveIntegerField()
    pair = models.PositiveIntegerField()
    # "ab": baseline against treatment; "aa": the baseline against itself.
    kind = models.CharField(max_length=2)
    # Which side of the pair: "a" or "b".
    side = models.CharField(max_length=1)
    variant = models.CharField(max_length=60)
    began_at = models.DateTimeField()
    took_s = models.FloatField()
    figures = models.JSONField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["experiment", "ordinal"], name="block_ordinal_unique"),
        )

    def __str__(self) -> str:
        return f"{self.experiment_id}/{self.ordinal} {self.variant}"
