"""Outcomes as lines of Postgres's COPY: what it costs to write a result."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import msgspec

from validation.validators import Agreement, Check, Outcome

COPY_RESULTS = """
COPY validation_result
    (run_id, ordinal, subject, verdict, level, reason, node, ms, source, age_s, agreement,
     profile_id, details)
FROM STDIN
"""

COPY_ANCHORS = """
COPY validation_anchor (run_id, ordinal, block_number, block_hash) FROM STDIN
"""

_NODE_WIDTH = 120
_NULL = "\\N"


def result_lines(
    outcomes: Sequence[Outcome],
    *,
    run: int,
    first: int,
    checks: Callable[[tuple[Check, ...]], str],
) -> bytes:
    """`checks` gives the fields `profile_id` and `details`."""
    return "".join(
        [
            f"{run}\t{ordinal}\t{o.subject}\t{o.verdict.value}\t{o.level}\t{o.reason}"
            f"\t{_escaped(o.node[:_NODE_WIDTH])}\t{o.ms:.3f}\t{o.source}\t{o.age_s:.3f}"
            f"\t{_agreement_field(o.agreement)}\t{checks(o.checks)}\n"
            for ordinal, o in enumerate(outcomes, first)
        ]
    ).encode()


def details_field(checks: tuple[Check, ...]) -> str:
    """By position: the detail, or [detail, computed, claimed]; COPY's null where none has one."""
    details = {
        str(n): [check.detail, check.computed, check.claimed] if check.computed else check.detail
        for n, check in enumerate(checks)
        if check.detail or check.computed
    }
    return json_field(details) if details else _NULL


def json_field(value: object) -> str:
    """JSON in COPY's escaping. jsonb has no NUL."""
    return _escaped(msgspec.json.encode(value).decode().replace("\\u0000", "\\ufffd"))


def _agreement_field(agreement: Agreement | None) -> str:
    return _NULL if agreement is None else json_field(agreement)


@lru_cache(maxsize=1_024)
def _escaped(text: str) -> str:
    """COPY's text format: a backslash, tab or line break would end the field."""
    text = text.replace("\\", "\\\\").replace("\t", "\\t")
    return text.replace("\n", "\\n").replace("\r", "\\r")
