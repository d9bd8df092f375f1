"""The roadmap as a release brought it, and beside it what operators wrote; no status."""

from django.db import models
from django.db.models.functions import Now


class Programme(models.Model):
    """A source. `facts`: the row of its file, as `console.roadmap.rows` has it."""

    key = models.CharField(max_length=20, primary_key=True)
    position = models.PositiveSmallIntegerField()
    title = models.CharField(max_length=200)
    facts = models.JSONField()

    class Meta:
        ordering = ("position",)

    def __str__(self) -> str:
        return self.title


class Phase(models.Model):
    key = models.CharField(max_length=40, primary_key=True)
    programme = models.ForeignKey(Programme, on_delete=models.CASCADE, related_name="phases")
    position = models.PositiveSmallIntegerField()
    title = models.CharField(max_length=200)
    facts = models.JSONField()

    class Meta:
        ordering = ("position",)

    def __str__(self) -> str:
        return self.title


class Optimisation(models.Model):
    """`facts`: what its source says of it, and what was decided."""

    key = models.CharField(max_length=20, primary_key=True)
    programme = models.ForeignKey(Programme, on_delete=models.CASCADE, related_name="rows")
    phase = models.ForeignKey(
        Phase, on_delete=models.SET_NULL, null=True, blank=True, related_name="rows"
    )
    position = models.PositiveSmallIntegerField()
    title = models.CharField(max_length=200)
    priority = models.CharField(max_length=8)
    rollback = models.TextField()
    facts = models.JSONField()
    # False: no release brings it any more; it stays for what operators wrote of it.
    released = models.BooleanField(default=True)

    class Meta:
        ordering = ("position",)
        constraints = (
            models.CheckConstraint(
                condition=~models.Q(rollback=""), name="optimisation_has_way_back"
            ),
        )

    def __str__(self) -> str:
        return f"{self.key} {self.title}"


class Entry(models.Model):
    """Everything else of the sources: kind "target", "kpi", "threshold", "risk", "contradiction",
    "adr", "cost" or "list".
    """

    kind = models.CharField(max_length=20)
    key = models.CharField(max_length=60)
    position = models.PositiveSmallIntegerField()
    facts = models.JSONField()

    class Meta:
        ordering = ("kind", "position")
        verbose_name_plural = "entries"
        constraints = (models.UniqueConstraint(fields=("kind", "key"), name="entry_of_kind"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class Edit(models.Model):
    """What operators wrote of an optimisation; empty is not written. Loading never touches it."""

    optimisation = models.OneToOneField(
        Optimisation, on_delete=models.PROTECT, primary_key=True, related_name="edit"
    )
    owner = models.CharField(max_length=160, blank=True)
    note = models.TextField(blank=True)
    priority = models.CharField(max_length=8, blank=True)
    due = models.DateField(null=True, blank=True)
    # Shown in the place of what is derived, which stays beside it.
    status = models.CharField(max_length=12, blank=True)
    status_reason = models.CharField(max_length=500, blank=True)
    revision = models.BigIntegerField(default=0)
    reason = models.CharField(max_length=500, blank=True)
    actor = models.CharField(max_length=160, blank=True)
    changed_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.optimisation_id}, revision {self.revision}"
