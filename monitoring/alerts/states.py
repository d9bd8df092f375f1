"""What becomes of one alert at one look: pending, firing, cleared. Pure: all of it is in the row.

As Prometheus does it: a threshold must stay passed for a while before it fires (`for`), and stay
not passed for a while before it clears (`keep_firing_for`). One that comes back soon after it
cleared needs twice as long to clear each time, so one that flaps is told of less and less often.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from monitoring.alerts.rules import Observation, Rule, Severity

PENDING: Final = "pending"
FIRING: Final = "firing"
CLEARED: Final = "cleared"
# One that comes back within it flaps.
FLAPS_WITHIN: Final = timedelta(minutes=30)
_LONGEST_CALM_S: Final = 900.0

# None: nobody knows now.
type Level = Literal["critical", "warning", "calm"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One row of Alert, as far as looks change it. `id` 0: it is not written yet."""

    id: int = 0
    rule: str
    subject: str
    severity: Severity
    state: str
    began_at: datetime
    fired_at: datetime | None = None
    cleared_at: datetime | None = None
    calm_since: datetime | None = None
    critical_since: datetime | None = None
    value: float | None = None
    worst: float | None = None
    seen_at: datetime | None = None
    unknown_since: datetime | None = None
    words: str = ""
    threshold: float | None = None
    flaps: int = 0
    told: str = ""
    told_at: datetime | None = None
    muted: str = ""
    acknowledged: bool = False


def step(
    rule: Rule, known: Standing | None, seen: Observation | None, now: datetime, *, flaps: int = 0
) -> Standing | None:
    """What stands after a look; None: nothing does, one that was pending is forgotten.

    `known`: what is open. `seen` None: the source answers, and the subject is not there any more.
    `flaps`: those of the alert before, and one more, where that cleared a short while ago.
    """
    if known is not None:
        known = _no_later(known, now)
    level = level_of(rule, seen, known)
    if known is None:
        if level is None or level == "calm" or seen is None:
            return None
        known = _begun(rule, seen, now, level, flaps)
    if level is None:
        return _unknown(rule, known, now)
    known = _with_figure(rule, known, seen, now, level)
    return _calm(rule, known, now) if level == "calm" else _passed(rule, known, now, level)


def _no_later(known: Standing, now: datetime) -> Standing:
    """What would begin later than now, because a clock was set back, begins now: it would last so
    much longer.
    """
    began_at = min(known.began_at, now) if known.state == PENDING else known.began_at
    return replace(
        known,
        began_at=began_at,
        fired_at=known.fired_at and min(known.fired_at, now),
        calm_since=known.calm_since and min(known.calm_since, now),
        critical_since=known.critical_since and min(known.critical_since, now),
        unknown_since=known.unknown_since and min(known.unknown_since, now),
    )


def level_of(rule: Rule, seen: Observation | None, known: Standing | None = None) -> Level:
    """Of too few events nothing begins and nothing gets worse; what fires may end by them."""
    if seen is None:
        return "calm"
    if seen.value is None:
        missing: dict[str, Level] = {"hold": None, "fire": _most(rule), "clear": "calm"}
        return missing[rule.absent]
    few = seen.weight is not None and seen.weight < rule.least
    if few and (known is None or known.state != FIRING):
        return "calm"
    if _reaches(rule, seen.value, rule.critical):
        worse = few and known is not None and known.severity == "warning"
        return "warning" if worse else "critical"
    return "warning" if _reaches(rule, seen.value, rule.warning) else "calm"


def _reaches(rule: Rule, value: float, threshold: float | None) -> bool:
    if threshold is None:
        return False
    return value >= threshold if rule.breach == "above" else value <= threshold


def _most(rule: Rule) -> Severity:
    return "warning" if rule.critical is None else "critical"


def _least(rule: Rule) -> Severity:
    return "critical" if rule.warning is None else "warning"


def _begun(rule: Rule, seen: Observation, now: datetime, level: Level, flaps: int) -> Standing:
    return Standing(
        rule=rule.key,
        subject=seen.subject,
        severity=_least(rule),
        state=PENDING,
        began_at=now,
        critical_since=now if level == "critical" else None,
        flaps=flaps,
    )


def _with_figure(
    rule: Rule, known: Standing, seen: Observation | None, now: datetime, level: Level
) -> Standing:
    """The words stay those of the last look that was past the threshold: what is calm is no news
    of the trouble, and would be all that its record says.
    """
    if seen is None or seen.value is None:
        return known
    worse = max if rule.breach == "above" else min
    worst = seen.value if known.worst is None else worse(known.worst, seen.value)
    words = known.words if level == "calm" else seen.words or known.words
    return replace(known, value=seen.value, worst=worst, words=words, seen_at=now)


def _passed(rule: Rule, known: Standing, now: datetime, level: Level) -> Standing:
    if known.state == PENDING and known.unknown_since is not None:
        # Nobody saw that it was passed all the time.
        known = replace(known, began_at=now, critical_since=None)
    since = (known.critical_since or now) if level == "critical" else None
    known = replace(known, critical_since=since, calm_since=None, unknown_since=None)
    severity: Severity = known.severity
    if since is not None and _lasts_s(since, now) >= rule.hold_s:
        severity = "critical"
    if known.state == PENDING and _lasts_s(known.began_at, now) >= rule.hold_s:
        known = replace(known, state=FIRING, fired_at=now)
    threshold = rule.critical if severity == "critical" else rule.warning
    return replace(known, severity=severity, threshold=threshold)


def _calm(rule: Rule, known: Standing, now: datetime) -> Standing | None:
    if known.state == PENDING:
        return None
    since = known.calm_since or now
    known = replace(known, calm_since=since, critical_since=None, unknown_since=None)
    if _lasts_s(since, now) < clear_s(rule, known.flaps):
        return known
    return replace(known, state=CLEARED, cleared_at=now)


def _unknown(rule: Rule, known: Standing, now: datetime) -> Standing | None:
    since = known.unknown_since or now
    if known.state == PENDING and _lasts_s(since, now) >= rule.clear_s:
        return None
    return replace(known, unknown_since=since, calm_since=None, critical_since=None)


def clear_s(rule: Rule, flaps: int) -> float:
    """For how long it must be calm before it is over."""
    return max(rule.clear_s, min(rule.clear_s * 2.0 ** min(flaps, 10), _LONGEST_CALM_S))


def _lasts_s(since: datetime, now: datetime) -> float:
    return (now - since).total_seconds()
