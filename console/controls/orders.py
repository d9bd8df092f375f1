"""What operators want now, as Postgres has it: the truth whoever reports or does not."""

from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone

from validation.models import Control, ControlKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is wanted of one breaker, or of L1. Revision 0: nobody ever wanted anything.

    What has ended is no longer wanted: `mode` is "" then, `settings` hold only what lasts, and
    the end is None. Reason, actor and time are those of the last change all the same.
    """

    kind: str
    name: str
    # Of a breaker: forced_open, forced_closed, metrics_only, disabled; "" leaves it to itself.
    mode: str = ""
    # In force now: what ends over what lasts.
    settings: dict[str, float] = field(default_factory=dict)
    # Those of them that hold after the end.
    lasting: dict[str, float] = field(default_factory=dict)
    revision: int = 0
    reset_revision: int = 0
    reason: str = ""
    actor: str = ""
    changed_at: datetime | None = None
    # The end of `mode`, and of those settings that do not last.
    expires_at: datetime | None = None
    tuned_until: datetime | None = None

    @property
    def is_auto(self) -> bool:
        """Nothing is forced and nothing is tuned."""
        return not self.mode and not self.settings

    @property
    def for_s(self) -> float | None:
        """Seconds until the mode ends; None: none is forced."""
        return _seconds_to(self.expires_at)

    @property
    def tuned_for_s(self) -> float | None:
        """Seconds until the tuned settings end; None: there are none that do."""
        return _seconds_to(self.tuned_until)


def desired(kind: str, name: str) -> Order:
    row = Control.objects.filter(kind=kind, name=name).first()
    return order_of(row) if row else Order(kind=kind, name=name)


def orders(kind: str) -> dict[str, Order]:
    """Of each name that an operator ever touched."""
    if kind == ControlKind.PURGE:
        raise ValueError("a purge is done once and stands for nothing afterwards")
    return {row.name: order_of(row) for row in Control.objects.filter(kind=kind)}


def order_of(row: Control) -> Order:
    now = timezone.now()
    forced = row.expires_at is not None and row.expires_at > now
    tuned = row.tuned_until is not None and row.tuned_until > now
    return Order(
        kind=row.kind,
        name=row.name,
        mode=row.mode if forced else "",
        settings=row.lasting | row.settings if tuned else dict(row.lasting),
        lasting=dict(row.lasting),
        revision=row.revision,
        reset_revision=row.reset_revision,
        reason=row.reason,
        actor=row.actor,
        changed_at=row.changed_at,
        expires_at=row.expires_at if forced else None,
        tuned_until=row.tuned_until if tuned else None,
    )


def _seconds_to(end: datetime | None) -> float | None:
    return None if end is None else max(0.0, (end - timezone.now()).total_seconds())
