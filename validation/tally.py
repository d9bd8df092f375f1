"""Counts what was settled, once its transaction is through."""

from collections import Counter
from collections.abc import Sequence
from functools import cache

from prometheus_client import Counter as Counted
from prometheus_client import Histogram

from monitoring.instruments import VALIDATION_DURATION, VALIDATIONS
from validation.validators import Outcome


def count(outcomes: Sequence[Outcome]) -> None:
    """To be called with what this process settled, and with nothing that another did."""
    kinds = [outcome.subject.partition(":")[0] for outcome in outcomes]
    verdicts = Counter(zip(kinds, (outcome.verdict.value for outcome in outcomes), strict=True))
    for (kind, verdict), number in verdicts.items():
        _settled(kind, verdict).inc(number)
    for kind, outcome in zip(kinds, outcomes, strict=True):
        _duration(kind).observe(outcome.ms / 1000)


@cache
def _settled(kind: str, verdict: str) -> Counted:
    return VALIDATIONS.labels(kind, verdict)


@cache
def _duration(kind: str) -> Histogram:
    return VALIDATION_DURATION.labels(kind)
