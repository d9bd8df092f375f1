"""How long what is kept is kept: by whole days of UTC, so that a day goes at once, not by hours."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from django.conf import settings
from django.db import connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Of `target`: how many days it is kept, which setting says so; 0: for ever."""

    target: str
    setting: str
    days: int

    def before(self, now: datetime) -> datetime | None:
        """What is older has had its time; None: nothing has."""
        if not self.days:
            return None
        today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return today - timedelta(days=self.days)


def by_postgres() -> datetime:
    """The time. What a host's own clock, gone astray, has dropped nobody brings back."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    return cast(datetime, now)


def rules() -> tuple[Rule, ...]:
    names = {
        "runs": "RETAIN_RUNS_DAYS",
        "evidence": "RETAIN_EVIDENCE_DAYS",
        "audit": "RETAIN_AUDIT_DAYS",
        "alerts": "RETAIN_ALERTS_DAYS",
    }
    return tuple(
        Rule(target=target, setting=name, days=getattr(settings, name))
        for target, name in names.items()
    )
