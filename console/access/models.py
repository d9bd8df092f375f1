"""API tokens, the failed sign-ins that lockout counts, and what operators did."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from console.access.roles import Role


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

    Names people by text, not by reference: an account that is removed leaves its acts.
    """

    at = models.DateTimeField(db_default=Now())
    actor = models.CharField(max_length=160)
    role = models.CharField(max_length=8)
    origin = models.CharField(max_length=8)
    # The name of the API token by which the actor came, if one.
    token = models.CharField(max_length=80, blank=True)
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

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "audit entries"
        indexes = (models.Index(fields=("kind", "target", "-id"), name="audit_of_target"),)

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.kind} {self.target}".rstrip()
