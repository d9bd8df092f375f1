"""One alert as pages show it: its state, its figures in their unit, how long it lasted."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from console import runbooks
from console.pages import figures
from console.pages.states import State
from monitoring.alerts.catalogue import RULES
from monitoring.alerts.rules import Rule, Unit
from monitoring.alerts.states import clear_s
from monitoring.models import Alert

_WHOLE: Final = 1e15


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`rule` None: another version of us has it."""

    alert: Alert
    rule: Rule | None
    state: State
    value: str
    worst: str
    threshold: str

    @property
    def title(self) -> str:
        return self.rule.title if self.rule else self.alert.rule

    @property
    def runbook(self) -> str:
        """Its name, where it is installed."""
        name = self.rule.runbook if self.rule else ""
        return name if runbooks.is_there(name) else ""

    @property
    def side(self) -> str:
        """On which side of the threshold the figure is."""
        return side_of(self.rule)

    @property
    def over_at(self) -> datetime | None:
        """When one that fires is over, if it stays as calm as it is; None: it is not calm."""
        if self.rule is None or self.alert.state != "firing" or self.alert.calm_since is None:
            return None
        return self.alert.calm_since + timedelta(seconds=clear_s(self.rule, self.alert.flaps))

    @property
    def lasted_s(self) -> float | None:
        begun, ended = self.alert.fired_at or self.alert.began_at, self.alert.cleared_at
        return max((ended - begun).total_seconds(), 0.0) if ended else None


def side_of(rule: Rule | None) -> str:
    """In words of which the threshold itself is a part, as it is for who judges."""
    return "at most" if rule and rule.breach == "below" else "at least"


def row_of(alert: Alert) -> Row:
    rule = RULES.get(alert.rule)
    unit: Unit = rule.unit if rule else "count"
    return Row(
        alert=alert,
        rule=rule,
        state=state_of(alert),
        value=of_unit(alert.value, unit),
        worst=of_unit(alert.worst, unit),
        threshold=of_unit(alert.threshold, unit),
    )


def state_of(alert: Alert) -> State:
    if alert.state == "cleared":
        return State(glyph="closed", word="Cleared")
    if alert.state == "pending":
        return State(glyph="idle", word="Pending", effect="not for long enough yet")
    glyph = "open" if alert.severity == "critical" else "half"
    effect = "acknowledged" if alert.acknowledged_at else "firing"
    if alert.calm_since:
        effect += ", calm now"
    return State(glyph=glyph, word=alert.severity.capitalize(), effect=effect)  # type: ignore[arg-type]


def of_unit(value: float | None, unit: Unit) -> str:
    if value is None:
        return "no data"
    match unit:
        case "ratio":
            return figures.percent(value)
        case "seconds":
            return figures.latency(value * 1_000) if value < 1 else figures.duration(value)
        case "bytes":
            return figures.size(round(value))
        case "count":
            is_whole = value.is_integer() and abs(value) < _WHOLE
            return figures.count(int(value)) if is_whole else f"{value:.3g}"
