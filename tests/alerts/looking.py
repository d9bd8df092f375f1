"""Rules, alerts and evaluators for tests, by a clock that the test moves."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from monitoring.alerts.evaluate import Evaluated, Evaluator
from monitoring.alerts.rules import Observation, Rule, Said
from monitoring.alerts.states import FIRING, Standing

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def a_rule(key: str = "db.pool_used", **given: Any) -> Rule:
    made: dict[str, Any] = {
        "title": f"About {key}",
        "group": "database",
        "subject": "pool",
        "unit": "ratio",
        "warning": 0.8,
        "critical": 0.9,
        "hold_s": 10.0,
        "clear_s": 30.0,
        "page": "/pools/",
        "runbook": "pool-exhaustion",
        "said": (Said(source="ours", says="a test"),),
        "why": "A test.",
    }
    return Rule(key=key, **(made | given))


def seen(value: float | None, subject: str = "db.default", **given: Any) -> Observation:
    return Observation(subject=subject, value=value, **given)


def firing(rule: str = "db.pool_used", subject: str = "db.default", **given: Any) -> Standing:
    made: dict[str, Any] = {
        "id": 1,
        "severity": "warning",
        "state": FIRING,
        "began_at": at(0),
        "fired_at": at(10),
    }
    return Standing(rule=rule, subject=subject, **(made | given))


class Watched:
    """Evaluators that all see what the test last said, at the moment that it says."""

    def __init__(self, *rules: Rule) -> None:
        self.rules: Mapping[str, Rule] = {rule.key: rule for rule in rules}
        self.now: dict[str, tuple[Observation, ...] | None] = {}
        self.before_write: Callable[[], None] = lambda: None

    def evaluator(self, name: str = "one", **more: Any) -> Evaluator:
        return Evaluator(name, rules=self.rules, see=self._see, **more)

    def says(self, key: str, *observations: Observation) -> None:
        self.now[key] = observations

    def turns(self, evaluator: Evaluator, begin: int, end: int) -> list[Evaluated]:
        """One each five seconds, both ends included."""
        return [evaluator.turn(at(second)) for second in range(begin, end + 1, 5)]

    def _see(self, _: object, *, within_s: float) -> Mapping[str, Any]:
        assert within_s > 0
        self.before_write()
        return dict(self.now)


def keys(turns: list[Evaluated]) -> list[str]:
    return [key for turn in turns for key in turn.told]
