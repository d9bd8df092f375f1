"""Evidence of a chunk, written with its results: bundles of accusations, and where time went.

Bounded, a run: the first bundles and the first timelines are kept, the rest is made again when a
person asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg
from msgspec import UNSET
from psycopg.types.json import Jsonb

from validation.keeping import BUNDLES_A_RUN
from validation.rpc import Span
from validation.validators import Outcome

SPANS_A_RUN = 1_000
# Any number that nothing else locks, beside the run's.
_LOCK = 0x5EED_0E07


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Of one item: its timeline, a packed bundle, or both."""

    ordinal: int
    spans: tuple[Span, ...]
    bundle: bytes | None


def of(outcomes: Sequence[Outcome], *, first: int) -> list[Kept]:
    """What may be kept of a chunk that begins with ordinal `first`; of what passed, nothing."""
    return [
        Kept(
            ordinal=ordinal,
            spans=() if outcome.spans is UNSET else outcome.spans,
            bundle=None if outcome.bundle is UNSET else outcome.bundle,
        )
        for ordinal, outcome in enumerate(outcomes, first)
        if outcome.spans is not UNSET or outcome.bundle is not UNSET
    ]


def write(cursor: psycopg.Cursor[Any], kept: Sequence[Kept], *, run: int) -> None:
    """As much of it as the run has room for. Chunks of one run count one after the other."""
    cursor.execute(_TURN, {"lock": _LOCK, "run": run})
    counted = cursor.execute(_COUNT, {"run": run}).fetchone()
    bundles, rows = counted or (0, 0)
    lines: list[tuple[object, ...]] = []
    for each in kept:
        bundle = each.bundle if bundles < BUNDLES_A_RUN else None
        spans = each.spans if rows < SPANS_A_RUN else ()
        if bundle is None and not spans:
            continue
        bundles, rows = bundles + (bundle is not None), rows + 1
        lines.append((run, each.ordinal, _json(spans), bundle))
    if lines:
        with cursor.copy(_COPY) as copy:
            copy.set_types(("int8", "int4", "jsonb", "bytea"))
            for line in lines:
                copy.write_row(line)


def _json(spans: tuple[Span, ...]) -> Jsonb | None:
    return Jsonb(spans, dumps=_encoded) if spans else None


def _encoded(spans: object) -> bytes:
    return msgspec.json.encode(spans).replace(b"\\u0000", b"\\ufffd")


_TURN = "SELECT pg_advisory_xact_lock(%(lock)s, (%(run)s %% 2147483647)::int)"

_COUNT = """
SELECT count(bundle), count(*) FROM validation_evidence WHERE run_id = %(run)s
"""

_COPY = "COPY validation_evidence (run_id, ordinal, spans, bundle) FROM STDIN (FORMAT BINARY)"
