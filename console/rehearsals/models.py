"""Drills and what they measured."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

KIND = "drill"
"""Of what is rehearsed, in the trail."""


class State(models.TextChoices):
    QUEUED = "queued", "waiting"
    RUNNING = "running", "running"
    PASSED = "passed", "passed"
    # The baseline did not come back as it was: a change of one way.
    FAILED = "failed", "failed"
    # Nothing was shown: no node, no cache server, or a defect of the drill itself.
    NOT_RUN = "not_run", "could not be run"
    # Whoever ran it is gone, or ended it.
    INTERRUPTED = "interrupted", "interrupted"


VERDICTS = (State.PASSED, State.FAILED)


class Rehearsal(models.Model):
    """One drill of one flag from its baseline to a target and back. Nothing is rewritten once it
    has ended.
    """

    flag = models.CharField(max_length=100)
    target = models.CharField(max_length=60)
    baseline = models.CharField(max_length=60)
    state = models.CharField(max_length=11, choices=State, default=State.QUEUED)
    # Until when nobody may doubt that it still runs.
    lease_until = models.DateTimeField(null=True, blank=True)
    actor = models.CharField(max_length=160)
    created_at = models.DateTimeField(db_default=Now())
    began_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    # Why it failed or was not run; of one that passed, what was seen.
    why = models.TextField(blank=True)
    # `drilling.Found` as an object: what the verdict rests on. Without a verdict: a drill that
    # failed, and that did not fail again.
    found = models.JSONField(default=dict, blank=True)
    machine = models.JSONField(default=dict, blank=True)
    code_revision = models.CharField(max_length=120, blank=True)
    flag_revision = models.BigIntegerField(default=0)

    class Meta:
        constraints = (
            # Two at a time would measure each other.
            models.UniqueConstraint(
                fields=["state"], condition=Q(state="running"), name="rehearsal_one_runs"
            ),
            # Asked for twice at once, it is drilled once.
            models.UniqueConstraint(
                fields=["flag", "target"],
                condition=Q(state="queued"),
                name="rehearsal_one_waits",
            ),
        )
        indexes = (models.Index(fields=["flag", "target", "-id"]),)

    def __str__(self) -> str:
        return f"drill-{self.pk}"

    @property
    def failed_once(self) -> bool:
        """And came to no verdict: it may be the machine's fault, or one that comes now and then."""
        return bool(self.found) and self.state in {State.NOT_RUN, State.INTERRUPTED}
