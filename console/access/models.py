"""API tokens, the failed sign-ins that lockout counts, and the chained trail of what was done."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from console.access.roles import Role
from console.access.scopes import EVERY, Scope, in_order, scopes_of
from validation.words import Words, WordsIndex

# What a search by words looks through; the index `audit_words` is made of it.
SAID = ("reason", "actor", "target", "token", "source", "trace_id")


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def usable(self) -> "ApiTokenQuerySet":
        fresh = models.Q(expires_at=None) | models.Q(expires_at__gt=timezone.now())
        return self.filter(fresh, revoked_at=None, user__is_active=True)


class ApiToken(models.Model):
    """Lets a program act as `user` with at most `role`. The secret itself is not kept."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens"
    )
    name = models.CharField(max_length=80)
    # The first characters of the secret: enough to tell tokens apart, too few to guess from.
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    role = models.CharField(max_length=8, choices=[(role.value, role.value) for role in Role])
    # Words between spaces; what the role has no use for counts for nothing.
    scopes = models.CharField(max_length=80, db_default=EVERY)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def granted(self) -> list[Scope]:
        """Its scopes, as far as its role goes."""
        return in_order(scopes_of(Role(self.role)) & set(self.scopes.split()))

    @property
    def state(self) -> str:
        """`revoked`, `expired` or `active`."""
        if self.revoked_at:
            return "revoked"
        if self.expires_at and self.expires_at <= timezone.now():
            return "expired"
        return "active"


class SignInAttempts(models.Model):
    """How often sign-in failed lately for one account or one network."""

    key = models.CharField(max_length=80, primary_key=True)
    failures = models.PositiveIntegerField(default=0)
    # Counting starts afresh after this.
    until = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.key}: {self.failures}"


class AuditEntry(models.Model):
    """One act of an operator: written in the transaction of what it changed, never changed itself.

    Names people by text, not by reference: an account that is removed leaves its acts. The database
    refuses to change or remove a row, and chains each to the one before it (migration 0005).
    """

    # The database says when, whatever was given: the trail's times rise with its positions.
    at = models.DateTimeField(db_default=Now())
    actor = models.CharField(max_length=160)
    role = models.CharField(max_length=8)
    origin = models.CharField(max_length=8)
    # The name of the API token by which the actor came, if one.
    token = models.CharField(max_length=80, blank=True)
    # From where: a network address, or user@host of a terminal.
    source = models.CharField(max_length=160, blank=True, db_default="")
    trace_id = models.CharField(max_length=32, blank=True, db_default="")
    # What was done to what: "override", "breaker", the breaker's name.
    action = models.CharField(max_length=20)
    kind = models.CharField(max_length=20)
    target = models.CharField(max_length=160, blank=True)
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    reason = models.CharField(max_length=500)
    # The number of the control that it made.
    revision = models.BigIntegerField(null=True, blank=True)
    # The act that this one takes back.
    reverts = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="reverted_by"
    )
    # Its place in the chain, from 1 without a gap, and the hashes of the row before it and of
    # itself. The database writes them; `console.access.chain` computes them again.
    position = models.BigIntegerField(db_default=0, editable=False)
    previous_hash = models.CharField(max_length=64, db_default="", editable=False)
    hash = models.CharField(max_length=64, db_default="", editable=False)

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "audit entries"
        indexes = (
            models.Index(fields=("kind", "target", "-id"), name="audit_of_target"),
            models.Index(fields=("revision",), name="audit_of_revision"),
            models.Index(fields=("kind", "-id"), name="audit_by_kind"),
            models.Index(fields=("action", "-id"), name="audit_by_action"),
            models.Index(fields=("at",), name="audit_by_time"),
            WordsIndex(Words("actor"), Words("target"), Words(*SAID), name="audit_words"),
        )
        constraints = (models.UniqueConstraint(fields=("position",), name="audit_position"),)

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.kind} {self.target}".rstrip()


class AuditHead(models.Model):
    """The last row of the chain; one row, whose lock makes acts wait for each other.

    Only the database writes it, as it chains a row.
    """

    position = models.BigIntegerField()
    hash = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"{self.position}:{self.hash}"


class AuditCheck(models.Model):
    """What the last check of the chain found; one row, which a migration made."""

    # Null: not yet.
    checked_at = models.DateTimeField(null=True)
    # The head when the chain was whole last: it must be found again.
    position = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, blank=True)
    # Where the next check of a trail too long for one goes on.
    swept_to = models.BigIntegerField(default=0)
    # Empty while it is whole; else what is wrong with which position.
    fault = models.CharField(max_length=20, blank=True)
    fault_position = models.BigIntegerField(null=True, blank=True)
    said = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return self.said or f"whole up to {self.position}"
