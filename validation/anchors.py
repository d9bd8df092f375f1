"""What verdicts rest on and which were taken back, as pages and exports read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max

from validation.models import Anchor, Result, Retraction, Run
from validation.validators import BlockRef


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """Verdicts of a run whose blocks were reorganised away: how many, when last, which blocks."""

    count: int
    at: datetime
    blocks: tuple[int, ...]


def taken_back(run: Run) -> TakenBack | None:
    """None where every verdict stands."""
    found = Retraction.objects.filter(run_id=run.pk).values_list("block_number")
    rows = list(found.annotate(n=Count("ordinal"), at=Max("retracted_at")).order_by("block_number"))
    if not rows:
        return None
    return TakenBack(
        count=sum(n for _, n, _ in rows),
        at=max(at for _, _, at in rows),
        blocks=tuple(number for number, _, _ in rows),
    )


def may_change(run: Run) -> bool:
    """Whether some verdict rests on a block that is not final."""
    return Anchor.objects.filter(run_id=run.pk).exists()


def retraction(run: Run, ordinal: int) -> Retraction | None:
    return Retraction.objects.filter(run_id=run.pk, ordinal=ordinal).first()


def tie(run: Run, results: Sequence[Result]) -> None:
    """Fills the block of each of `results`, which come in order of ordinal."""
    if not results:
        return
    span = (results[0].ordinal, results[-1].ordinal)
    columns = ("ordinal", "block_number", "block_hash")
    blocks: dict[int, BlockRef] = {}
    for rows in (Retraction.objects, Anchor.objects):
        found = rows.filter(run_id=run.pk, ordinal__range=span).values_list(*columns)
        blocks |= {ordinal: BlockRef(number=n, hash=h) for ordinal, n, h in found}
    for result in results:
        result.block = blocks.get(result.ordinal)
