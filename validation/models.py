"""Runs, their items, the chunks that workers claim, one result an item, and what a reorganisation
takes back.
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from validation.control_models import Control as Control  # noqa: PLC0414 - given on as ours
from validation.control_models import ControlKind as ControlKind  # noqa: PLC0414 - as above
from validation.control_models import ControlRevision as ControlRevision  # noqa: PLC0414 - as above
from validation.control_models import Slot as Slot  # noqa: PLC0414 - as above
from validation.dropped import DroppedRun as DroppedRun  # noqa: PLC0414 - as above
from validation.node_models import LABEL_LENGTH
from validation.node_models import Node as Node  # noqa: PLC0414 - as above
from validation.node_models import RemovedNode as RemovedNode  # noqa: PLC0414 - as above
from validation.validators import BlockRef
from validation.words import Words, WordsIndex

# An address with four storage slots.
SUBJECT_LENGTH = 320
VERDICTS = ("valid", "invalid", "not_found", "unverifiable", "error")


class RunState(models.TextChoices):
    DRAFT = "draft", "Waiting for your word"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    CANCELLED = "cancelled", "Cancelled"


class Run(models.Model):
    """One request to validate `total` items. Counts derive from its chunks: `services.progress`."""

    state = models.CharField(max_length=10, choices=RunState, default=RunState.RUNNING)
    title = models.CharField(max_length=200)
    # The level asked; null asks of each item the highest that its kind can reach.
    level = models.PositiveSmallIntegerField(null=True, blank=True)
    total = models.PositiveIntegerField(default=0)
    # Claimed before runs of a higher number: 0 interactive, 1 bulk.
    priority = models.PositiveSmallIntegerField(default=1)
    origin = models.CharField(max_length=8, choices=[(o, o) for o in ("page", "api", "cli")])
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    # How many nodes must say the same of each item; null asks one.
    agreement = models.PositiveSmallIntegerField(null=True, blank=True)
    # Overrides NODE_URLS for this run; may hold credentials, so no page, log or export shows it.
    node_urls = models.JSONField(default=list, blank=True)
    retry_of = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="retries"
    )
    # Of the request that began it, where that is traced: W3C Trace Context.
    traceparent = models.CharField(max_length=55, blank=True, db_default="")
    idempotency_key = models.CharField(max_length=200, blank=True)
    request_digest = models.CharField(max_length=64, blank=True)
    # Lines that were no subject: how many, and the first of them as {line, text, reason}.
    malformed_count = models.PositiveIntegerField(default=0)
    malformed = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("created_by", "idempotency_key"),
                condition=~Q(idempotency_key=""),
                name="run_idempotency",
            ),
        )
        indexes = (
            models.Index(fields=("state", "-id"), name="run_by_state"),
            models.Index(fields=("-total", "-id"), name="run_by_size"),
            models.Index(fields=("finished_at",), name="run_by_end"),
            WordsIndex(Words("title"), name="run_words"),
            models.Index(
                F("id").desc(), condition=Q(state__in=("draft", "running")), name="run_open"
            ),
        )

    def __str__(self) -> str:
        return f"V-{self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("run", args=[self.pk])

    @property
    def is_finished(self) -> bool:
        return self.state in {RunState.DONE, RunState.CANCELLED}


class ChunkState(models.TextChoices):
    READY = "ready"
    LEASED = "leased"
    DONE = "done"
    CANCELLED = "cancelled"
    # Its worker died and smaller chunks took its place.
    SPLIT = "split"


class Chunk(models.Model):
    """Items `first` to `first + size - 1` of a run: what a worker claims, leases and closes."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="chunks")
    first = models.PositiveIntegerField()
    size = models.PositiveIntegerField()
    state = models.CharField(max_length=9, choices=ChunkState, default=ChunkState.READY)
    priority = models.PositiveSmallIntegerField(default=1)
    # Start-time fair queueing: the next chunk of every run before the one after of any.
    turn = models.BigIntegerField(default=0)
    # Raised by every claim; a write with an older token is refused.
    fence = models.PositiveIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    worker = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    valid = models.PositiveIntegerField(default=0)
    invalid = models.PositiveIntegerField(default=0)
    not_found = models.PositiveIntegerField(default=0)
    unverifiable = models.PositiveIntegerField(default=0)
    error = models.PositiveIntegerField(default=0)

    class Meta:
        indexes = (
            models.Index(
                fields=("priority", "turn", "id"), condition=Q(state="ready"), name="chunk_next"
            ),
            models.Index(fields=("lease_until",), condition=Q(state="leased"), name="chunk_leased"),
            models.Index(
                fields=("run",), condition=Q(state__in=("ready", "leased")), name="chunk_open"
            ),
        )

    def __str__(self) -> str:
        return f"{self.first}+{self.size} of V-{self.run_id}"


class Item(models.Model):
    """One subject of a run, in the order it was asked."""

    pk = models.CompositePrimaryKey("run_id", "ordinal")
    # No constraint: a million rows would each pay for the check of one parent.
    run = models.ForeignKey(Run, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    ordinal = models.PositiveIntegerField()
    subject = models.CharField(max_length=SUBJECT_LENGTH)

    def __str__(self) -> str:
        return self.subject


class CheckProfile(models.Model):
    """The names and statuses of one list of checks, which thousands of results share."""

    # "answered:pass hash:pass receipt:skip", in the order in which they were computed.
    text = models.TextField(unique=True)

    def __str__(self) -> str:
        return self.text


def _told(detail: str | list[str]) -> dict[str, str]:
    """What a check says beyond its status; a list also holds what was compared."""
    told, computed, claimed = (detail, "", "") if isinstance(detail, str) else detail
    return {"detail": told, "computed": computed, "claimed": claimed}


class ResultQuerySet(models.QuerySet["Result"]):
    def with_checks(self) -> "ResultQuerySet":
        """Reads what `checks` needs in the same query."""
        return self.select_related("profile")

    def not_valid(self) -> "ResultQuerySet":
        return self.exclude(verdict="valid")


class Result(models.Model):
    """The one verdict on an item: written by COPY when its chunk is closed, changed by nothing but
    a reorganisation (see `Retraction`).
    """

    pk = models.CompositePrimaryKey("run_id", "ordinal")
    run = models.ForeignKey(
        Run,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="results",
    )
    ordinal = models.PositiveIntegerField()
    subject = models.CharField(max_length=SUBJECT_LENGTH)
    verdict = models.CharField(max_length=12, choices=[(v, v) for v in VERDICTS])
    level = models.PositiveSmallIntegerField()
    reason = models.CharField(max_length=40)
    node = models.CharField(max_length=120)
    ms = models.FloatField()
    # Where its data came from: "node", "l1" or "l2", and how old it was then.
    source = models.CharField(max_length=8, db_default="node")
    age_s = models.FloatField(db_default=0.0)
    # No constraint, as above; `checks` puts the two together.
    profile = models.ForeignKey(
        CheckProfile, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )
    # By position, of the checks that have one: the detail, or [detail, computed, claimed]; null
    # where none has.
    details = models.JSONField(null=True)
    # {"asked", "agreed": [label], "differs": [{"node", "said"}], "silent": [{"node", "said"}]};
    # null where one node was enough.
    agreement = models.JSONField(null=True)

    # What it rests on, or rested on until it was taken back; None once that is final. No column:
    # `anchors.tie` fills it from the tables below.
    block: BlockRef | None = None

    objects = ResultQuerySet.as_manager()

    class Meta:
        indexes = (
            models.Index(
                fields=("run", "verdict", "reason", "ordinal"),
                condition=~Q(verdict="valid"),
                name="result_not_valid",
            ),
        )

    def __str__(self) -> str:
        return f"{self.subject}: {self.verdict}"

    @property
    def checks(self) -> list[dict[str, str]]:
        """[{"name", "status", "detail", "computed", "claimed"}, …] in the order of their making."""
        details = self.details or {}
        named = (entry.partition(":") for entry in self.profile.text.split())
        return [
            {"name": name, "status": status, **_told(details.get(str(position), ""))}
            for position, (name, _, status) in enumerate(named)
        ]


class Evidence(models.Model):
    """What is kept of an item beyond its result: of accusations always (so many a run), of small
    runs and slow items where the time went. The rest is recomputed when a person asks.
    """

    pk = models.CompositePrimaryKey("run_id", "ordinal")
    run = models.ForeignKey(Run, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    ordinal = models.PositiveIntegerField()
    # [{"name", "at_ms", "ms", "node", "note"}, …]; null where it was not recorded.
    spans = models.JSONField(null=True)
    # A proof bundle, packed: `validation.evidence` reads it. Null where none was kept.
    bundle = models.BinaryField(null=True)
    kept_at = models.DateTimeField(db_default=Now())

    class Meta:
        # The oldest goes first: `retention.forget_evidence`.
        indexes = (models.Index(fields=("kept_at",), name="evidence_by_age"),)

    def __str__(self) -> str:
        return f"{self.ordinal} of V-{self.run_id}"


class Catch(models.Model):
    """What a node was caught at: a check that an honest node's answers cannot fail."""

    label = models.CharField(max_length=LABEL_LENGTH)
    # The item it was caught with, whose evidence may be kept.
    run = models.ForeignKey(
        Run, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, null=True
    )
    ordinal = models.PositiveIntegerField(null=True)
    subject = models.CharField(max_length=SUBJECT_LENGTH)
    check_name = models.CharField(max_length=40)
    detail = models.CharField(max_length=500)
    caught_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("label", "-id"), name="catch_of_node"),
            models.Index(fields=("run", "ordinal"), name="catch_of_item"),
        )

    def __str__(self) -> str:
        return f"{self.label}: {self.check_name} of {self.subject}"


class Anchor(models.Model):
    """A result that stands only as long as its block does: dropped once the block is final."""

    pk = models.CompositePrimaryKey("run_id", "ordinal")
    run = models.ForeignKey(Run, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    ordinal = models.PositiveIntegerField()
    block_number = models.PositiveBigIntegerField(db_index=True)
    block_hash = models.CharField(max_length=66, db_index=True)

    def __str__(self) -> str:
        return f"{self.ordinal} of V-{self.run_id} in block {self.block_number}"


class Orphan(models.Model):
    """A block that was seen in the chain and is in it no more. Forgotten after a day."""

    block_hash = models.CharField(max_length=66, primary_key=True)
    block_number = models.PositiveBigIntegerField()
    seen_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.block_number} {self.block_hash}"


class Retraction(models.Model):
    """What a verdict was before its block was reorganised away."""

    pk = models.CompositePrimaryKey("run_id", "ordinal")
    run = models.ForeignKey(
        Run,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="retractions",
    )
    ordinal = models.PositiveIntegerField()
    verdict = models.CharField(max_length=12)
    level = models.PositiveSmallIntegerField()
    reason = models.CharField(max_length=40)
    block_number = models.PositiveBigIntegerField()
    block_hash = models.CharField(max_length=66)
    retracted_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.ordinal} of V-{self.run_id}: {self.verdict} in block {self.block_number}"
