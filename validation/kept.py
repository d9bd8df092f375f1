"""What is kept of one item beyond its result, as its page and its proof read it."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
from django.db.models.functions import Length

from validation.models import Catch, Chunk, ChunkState, Evidence, Run
from validation.rpc import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """`spans` None: where the time went was not recorded. `bundle_bytes` 0: no proof was kept."""

    spans: tuple[Span, ...] | None = None
    bundle_bytes: int = 0
    kept_at: datetime | None = None
    caught: tuple[Catch, ...] = ()
    closed_at: datetime | None = None
    """When the chunk that the item was in was written, with the results of all its items."""
    chunk_size: int = 0


def of_item(run: Run, ordinal: int) -> Kept:
    """All of it but the bundle itself, which may be large."""
    rows = Evidence.objects.filter(run_id=run.pk, ordinal=ordinal)
    row = rows.annotate(octets=Length("bundle")).values("spans", "octets", "kept_at").first()
    chunk = (
        Chunk.objects.filter(run_id=run.pk, first__lte=ordinal, state=ChunkState.DONE)
        .order_by("-first")
        .first()
    )
    caught = tuple(Catch.objects.filter(run_id=run.pk, ordinal=ordinal).order_by("id")[:20])
    found = Kept(
        caught=caught,
        closed_at=chunk.closed_at if chunk else None,
        chunk_size=chunk.size if chunk else 0,
    )
    if row is None:
        return found
    return Kept(
        spans=None if row["spans"] is None else msgspec.convert(row["spans"], tuple[Span, ...]),
        bundle_bytes=row["octets"] or 0,
        kept_at=row["kept_at"],
        caught=found.caught,
        closed_at=found.closed_at,
        chunk_size=found.chunk_size,
    )


def bundle(run: Run, ordinal: int) -> bytes | None:
    """The packed proof of an accusation; None where none was kept."""
    rows = Evidence.objects.filter(run_id=run.pk, ordinal=ordinal, bundle__isnull=False)
    held = rows.values_list("bundle", flat=True).first()
    return None if held is None else bytes(held)
