"""What rollouts say to the alerts: taken back, held for want of data, not watched, stopped."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from django.db.models import Max

from console.flags import clock
from console.rollouts import automation, records, seen
from console.rollouts.judging import MISSING_S
from console.rollouts.models import ACTIVE, HeldFor, Rollout, State
from monitoring.alerts.rules import Observation

ROLLED_BACK, HELD, STOPPED = "rollout.rolled_back", "rollout.held", "rollout.stopped"
UNWATCHED: Final = "rollout.unwatched"
# It is looked at each second.
_OLD_S: Final = 10.0


def rolled_back() -> Iterator[Observation]:
    """Each flag that cools down: an alarm for as long."""
    now = clock.now()
    late = Rollout.objects.filter(state=State.ROLLED_BACK, ended_at__gt=now - seen.COOL_DOWN)
    for row in late.defer("record").order_by("flag", "-ended_at").distinct("flag"):
        words = f"{row.flag} was taken back to {row.rest}. {row.why}"
        yield Observation(subject=row.flag, value=1.0, words=words)


def held() -> Iterator[Observation]:
    for row in Rollout.objects.filter(held_for=HeldFor.MISSING).defer("record"):
        words = f"{row.flag} is held at {row.stage} %. {row.why}"
        yield Observation(subject=row.flag, value=1.0, words=words)


def unwatched() -> Iterator[Observation]:
    """Some have it, and nobody would take it back: nobody looks, or always with gaps between."""
    now = clock.now()
    going = Rollout.objects.filter(state__in=ACTIVE, stage__gt=0)
    for row in going.exclude(state=State.REHEARSING).annotate(decided_at=Max("steps__at")):
        if words := _unwatched(row, max(row.seen_at or row.created_at, row.decided_at), now):
            yield Observation(subject=row.flag, value=1.0, words=words)


def _unwatched(row: Rollout, looked: datetime, now: datetime) -> str:
    old_s = (now - looked).total_seconds()
    if old_s > _OLD_S:
        return f"{row.flag} is at {row.stage} %, and nobody has looked for {old_s:.0f} s. {row.why}"
    since_s = records.unpack(row.record).gaps_since_s
    if since_s is not None and (gaps_s := now.timestamp() - since_s) >= MISSING_S:
        return (
            f"{row.flag} is at {row.stage} %, and for {gaps_s:.0f} s nobody looked often enough "
            "for a window."
        )
    return ""


def stopped() -> Iterator[Observation]:
    why = automation.why_stopped()
    yield Observation(subject="", value=float(bool(why)), words=why)
