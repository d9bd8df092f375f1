"""Who a bundle says was caught, held against what its answers show.

Another node may have been asked than the one that the verdict rests on, and its answers stand in
the bundle of its own lie. So a verdict that is not `invalid` may name others as caught: that is
taken for granted, as whatever is told of other nodes is.
"""

from collections.abc import Iterator, Sequence

from msgspec import UNSET

from validation.evidence.bundle import Claimed
from validation.validators import Caught, Outcome, Verdict

_MOST_CHARS = 400


def differences(claimed: Claimed, computed: Outcome) -> Iterator[str]:
    """Whom the answers accuse and the bundle does not, and whom it accuses without their word."""
    told = {(each.node, each.check) for each in claimed.caught}
    for each in shown(computed):
        if (each.node, each.check) not in told:
            yield f"{each.node} is caught at {each.check}, the bundle does not say so."
    elsewhere = granted(claimed, computed)
    for each in _not_shown(claimed, computed):
        if each not in elsewhere:
            yield f"The answers do not show what the bundle says: {named(each)}."


def granted(claimed: Claimed, computed: Outcome) -> list[Caught]:
    """Who is accused by answers that are not in the bundle."""
    if computed.verdict is Verdict.INVALID:
        return []
    return [each for each in _not_shown(claimed, computed) if each.node != computed.node]


def shown(computed: Outcome) -> Sequence[Caught]:
    """Whom the answers accuse."""
    return () if computed.caught is UNSET else computed.caught


def _not_shown(claimed: Claimed, computed: Outcome) -> list[Caught]:
    known = shown(computed)
    return [each for each in claimed.caught if each not in known]


def named(each: Caught) -> str:
    """For a line."""
    return f"{each.node} at {each.check}: {each.detail[:_MOST_CHARS]}"
