"""Counters that outlive the processes that counted; alerts, what mutes them, and who is told."""

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


class Alert(models.Model):
    """One figure past its threshold, from then until it is over. At most one of a rule and subject
    is open. `flaps`: how often in a row it came back soon after it was over.
    """

    rule = models.CharField(max_length=64)
    subject = models.CharField(max_length=160, default="", blank=True)
    group = models.CharField(max_length=16)
    # warning or critical; it rises while the alert is open, and never falls.
    severity = models.CharField(max_length=8)
    # pending: past the threshold, not for long enough yet; firing; cleared.
    state = models.CharField(max_length=8)
    began_at = models.DateTimeField()
    fired_at = models.DateTimeField(null=True)
    cleared_at = models.DateTimeField(null=True)
    # Since when it is not past its threshold, where it is still open; past the critical one.
    calm_since = models.DateTimeField(null=True)
    critical_since = models.DateTimeField(null=True)
    # The newest figure, when that was; since when there is none.
    value = models.FloatField(null=True)
    worst = models.FloatField(null=True)
    seen_at = models.DateTimeField(null=True)
    unknown_since = models.DateTimeField(null=True)
    # What the figure is of, in words, and the threshold of its severity.
    words = models.TextField(default="", blank=True)
    threshold = models.FloatField(null=True)
    flaps = models.IntegerField(default=0)
    acknowledged_by = models.CharField(max_length=160, default="", blank=True)
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_reason = models.TextField(default="", blank=True)
    # The severity that a notification was written for, "": none was; "over": its end was told.
    # `muted`: why nobody is told.
    told = models.CharField(max_length=8, default="", blank=True)
    told_at = models.DateTimeField(null=True)
    muted = models.CharField(max_length=200, default="", blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                "rule", "subject", name="alert_open", condition=~models.Q(state="cleared")
            ),
        )
        indexes = (
            models.Index(fields=("-began_at", "-id"), name="alert_newest"),
            models.Index(fields=("rule", "subject", "-cleared_at"), name="alert_before"),
        )

    def __str__(self) -> str:
        return f"{self.rule} {self.subject}".rstrip()


class Silence(models.Model):
    """Alerts that nobody is told of from one moment to another: of a rule, of a group, of subjects
    that match; "" is any. They are shown all the same.
    """

    rule = models.CharField(max_length=64, default="", blank=True)
    group = models.CharField(max_length=16, default="", blank=True)
    # With * and ? as in a shell.
    subject = models.CharField(max_length=160, default="", blank=True)
    # silence: known trouble; maintenance: announced work.
    kind = models.CharField(max_length=12, default="silence")
    begins_at = models.DateTimeField()
    # Moved to now by who ends it.
    ends_at = models.DateTimeField()
    reason = models.TextField()
    by = models.CharField(max_length=160)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = (models.Index(fields=("-ends_at",), name="silence_end"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.rule or self.group or '*'} {self.subject}".rstrip()


class Notification(models.Model):
    """What is to be told of one group at one moment, written with the change that it tells of.

    `key` is the same however often that is tried: a receiver that gets it twice knows it by it.
    """

    key = models.CharField(max_length=120, unique=True)
    group = models.CharField(max_length=16)
    severity = models.CharField(max_length=8)
    # fired, worse, cleared or digest.
    what = models.CharField(max_length=8)
    title = models.TextField()
    body = models.TextField()
    # [{"id", "rule", "subject", "severity", "words", "value", "what"}, …] as they were then; of one
    # that there is new, `what` may be fired while another has become worse.
    alerts = models.JSONField(default=list)
    created_at = models.DateTimeField(db_default=Now())
    # Its deliveries have been written.
    routed = models.BooleanField(default=False)

    class Meta:
        indexes = (
            models.Index("id", name="notification_unrouted", condition=models.Q(routed=False)),
            models.Index(fields=("-created_at",), name="notification_newest"),
        )

    def __str__(self) -> str:
        return self.key


class Delivery(models.Model):
    """A notification on its way to one destination."""

    notification = models.ForeignKey(
        Notification, on_delete=models.CASCADE, related_name="deliveries"
    )
    # Without what opens it: no password, no token.
    destination = models.CharField(max_length=200)
    # due, delivered, failed (and tried again at `next_at`) or given_up.
    state = models.CharField(max_length=10, default="due")
    attempts = models.IntegerField(default=0)
    next_at = models.DateTimeField(db_default=Now())
    error = models.TextField(default="", blank=True)
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint("notification", "destination", name="delivery_once"),
        )
        indexes = (
            models.Index(
                "next_at", name="delivery_due", condition=models.Q(state__in=["due", "failed"])
            ),
        )

    def __str__(self) -> str:
        return f"{self.notification_id} to {self.destination}"
