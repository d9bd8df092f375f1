"""Holds what came back of a block against what a figure may rest on."""

from collections import Counter
from collections.abc import Iterable

from validation.validators import Outcome, Verdict


class NoEvidence(Exception):
    """What came back is wrong, so that how fast it came says nothing; names item and reason."""


def check(outcomes: Iterable[Outcome], *, may_fail: bool) -> int:
    """How many were errors. Raises NoEvidence for anything invalid or not found, and for errors
    unless the claim is about them.
    """
    errors = 0
    for outcome in outcomes:
        if outcome.verdict is Verdict.VALID:
            continue
        if outcome.verdict is Verdict.ERROR and may_fail:
            errors += 1
            continue
        raise NoEvidence(
            f"{outcome.subject} came back as {outcome.verdict.value} ({outcome.reason}): a "
            "workload whose items do not pass is no evidence of anything."
        )
    return errors


def sources(outcomes: Iterable[Outcome]) -> Counter[str]:
    """How many came from where."""
    return Counter(outcome.source for outcome in outcomes)
