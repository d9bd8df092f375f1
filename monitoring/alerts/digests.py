"""What was alarming in a day, a week, a month: told once each, the same way as alerts are."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Q

from monitoring.alerts.catalogue import RULES
from monitoring.models import Alert, Delivery, Notification

# Told in the morning of the day after, in UTC, or as soon as anybody looks that day.
HOUR: Final = 7
_NAMED: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From the start of `first` to the end of `last`, in UTC."""

    kind: str
    first: date
    last: date

    @property
    def key(self) -> str:
        return f"digest:{self.kind}:{self.first.isoformat()}"

    @property
    def begin(self) -> datetime:
        return datetime.combine(self.first, time(), tzinfo=UTC)

    @property
    def end(self) -> datetime:
        return datetime.combine(self.last + timedelta(days=1), time(), tzinfo=UTC)

    @property
    def words(self) -> str:
        if self.first == self.last:
            return f"{self.first:%A, %d %B %Y}"
        return f"{self.first:%d %B %Y} to {self.last:%d %B %Y}"


def periods(now: datetime, kinds: Iterable[str]) -> Iterator[Period]:
    """The newest of each kind that is over and whose hour has come."""
    # Before the hour it is still yesterday, whose morning told of the day before.
    today = (now.astimezone(UTC) - timedelta(hours=HOUR)).date()
    yesterday = today - timedelta(days=1)
    monday = today - timedelta(days=today.weekday())
    month_end = today.replace(day=1) - timedelta(days=1)
    known = {
        "daily": Period(kind="daily", first=yesterday, last=yesterday),
        "weekly": Period(
            kind="weekly", first=monday - timedelta(days=7), last=monday - timedelta(days=1)
        ),
        "monthly": Period(kind="monthly", first=month_end.replace(day=1), last=month_end),
    }
    yield from (known[kind] for kind in kinds)


def write_due(now: datetime) -> int:
    """Writes each digest that is due and not written yet; how many. Two at once write one."""
    due = {period.key: period for period in periods(now, settings.NOTIFY_DIGESTS)}
    if not due:
        return 0
    written = Notification.objects.filter(key__in=due).values_list("key", flat=True)
    missing = [due[key] for key in due.keys() - set(written)]
    # A switchyard that was not yet there has nothing to say of that time.
    oldest = Notification.objects.order_by("created_at").values_list("created_at", flat=True)
    began = Alert.objects.order_by("began_at").values_list("began_at", flat=True)
    since = min((at for at in (oldest.first(), began.first()) if at), default=now)
    rows = [compose(period, now) for period in missing if period.end > since]
    Notification.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def compose(period: Period, now: datetime) -> Notification:
    fired = list(
        Alert.objects.filter(fired_at__gte=period.begin, fired_at__lt=period.end).order_by("pk")
    )
    standing = list(
        Alert.objects.filter(fired_at__lt=period.end).filter(
            Q(cleared_at=None) | Q(cleared_at__gte=period.end)
        )
    )
    given_up = Delivery.objects.filter(
        state="given_up",
        notification__created_at__gte=period.begin,
        notification__created_at__lt=period.end,
    ).count()
    critical = sum(alert.severity == "critical" for alert in fired)
    number = f"{len(fired)} alert{'' if len(fired) == 1 else 's'}"
    return Notification(
        key=period.key,
        group="console",
        severity="warning",
        what="digest",
        title=f"Switchyard, {period.kind} digest: {number}, {critical} critical",
        body="\n".join(_lines(period, fired, standing, given_up, now)),
        alerts=[],
    )


def _lines(
    period: Period, fired: Sequence[Alert], standing: Sequence[Alert], given_up: int, now: datetime
) -> Iterator[str]:
    yield f"{period.words} (UTC)."
    yield ""
    if not fired:
        yield "No alert fired."
    for name, alerts in _by_rule(fired)[:_NAMED]:
        worst = "critical" if any(one.severity == "critical" for one in alerts) else "warning"
        lasted = timedelta(seconds=sum(_lasted_s(one, period, now) for one in alerts))
        unseen = sum(not one.acknowledged_at for one in alerts)
        yield (
            f"{len(alerts)} × {name} ({worst}), {_span(lasted)} in all"
            + (f", {unseen} acknowledged by nobody" if unseen else "")
        )
    if (more := len(_by_rule(fired)) - _NAMED) > 0:
        yield f"and {more} other kinds"
    yield ""
    yield f"Still firing at its end: {len(standing) or 'none'}."
    if subjects := ", ".join(_title(one) for one in standing[:_NAMED]):
        yield subjects
    if given_up:
        yield f"Given up, because a destination did not take them: {given_up}."
    yield f"All of them: {settings.PUBLIC_URL}/alerts/"


def _by_rule(alerts: Iterable[Alert]) -> list[tuple[str, list[Alert]]]:
    """The most frequent first."""
    found = list(alerts)
    counts = Counter(alert.rule for alert in found)
    return [
        (_name(rule), [one for one in found if one.rule == rule])
        for rule, _ in counts.most_common()
    ]


def _name(rule: str) -> str:
    return RULES[rule].title if rule in RULES else rule


def _title(alert: Alert) -> str:
    return f"{_name(alert.rule)} ({alert.subject})" if alert.subject else _name(alert.rule)


def _lasted_s(alert: Alert, period: Period, now: datetime) -> float:
    end = min(alert.cleared_at or now, period.end)
    begin = max(alert.fired_at or end, period.begin)
    return max((end - begin).total_seconds(), 0.0)


def _span(lasted: timedelta) -> str:
    minutes = round(lasted.total_seconds() / 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
