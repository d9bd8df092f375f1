"""What operators want now, as Postgres has it: the truth whoever reports or does not."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models.functions import Now

from console.controls.layers import Layers
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
    # The two of which that is made: those that end, over those that hold after the end.
    tuned: dict[str, float] = field(default_factory=dict)
    lasting: dict[str, float] = field(default_factory=dict)
    revision: int = 0
    reset_revision: int = 0
    reason: str = ""
    actor: str = ""
    changed_at: datetime | None = None
    # The end of `mode`, and of those settings that do not last; seconds to it when it was read.
    expires_at: datetime | None = None
    for_s: float | None = None
    tuned_until: datetime | None = None
    tuned_for_s: float | None = None

    @property
    def is_auto(self) -> bool:
        """Nothing is forced and nothing is tuned."""
        return not self.mode and not self.settings


def desired(kind: str, name: str) -> Order:
    row = _rows(kind).filter(name=name).first()
    return order_of(row, row.now) if row else Order(kind=kind, name=name)


def orders(kind: str) -> dict[str, Order]:
    """Of each name that an operator ever touched."""
    if kind == ControlKind.PURGE:
        raise ValueError("a purge is done once and stands for nothing afterwards")
    return {row.name: order_of(row, row.now) for row in _rows(kind)}


def order_of(row: Control, now: datetime) -> Order:
    """`now` by the clock of the database, which set the ends."""
    layers = Layers.of(row, now)
    return Order(
        kind=row.kind,
        name=row.name,
        mode=layers.mode,
        settings={**layers.lasting, **layers.settings},
        tuned=dict(layers.settings),
        lasting=dict(layers.lasting),
        revision=row.revision,
        reset_revision=row.reset_revision,
        reason=row.reason,
        actor=row.actor,
        changed_at=row.changed_at,
        expires_at=layers.expires_at,
        for_s=_seconds(now, layers.expires_at),
        tuned_until=layers.tuned_until,
        tuned_for_s=_seconds(now, layers.tuned_until),
    )


def _seconds(now: datetime, end: datetime | None) -> float | None:
    return None if end is None else (end - now).total_seconds()


def _rows(kind: str) -> Any:
    """With the moment of reading as `now`; `Any`, for no type says what was annotated."""
    return Control.objects.filter(kind=kind).annotate(now=Now())
