"""What a drill found: for every lie and level, what became of it."""

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from validation.validators import Verdict

_ANCHORED, _FINAL = 4, 5


class Told(StrEnum):
    """What became of a lie, the worst for the deployment first."""

    BELIEVED = "believed"
    """The verdict is `valid`, and what was said is not true."""
    DENIED = "denied"
    """The verdict is `not_found`, and the item exists."""
    DOUBTED = "doubted"
    """The verdict is `unverifiable`: nothing was believed and nobody is accused."""
    REFUSED = "refused"
    """The answer was no answer: the verdict is `error`."""
    CAUGHT = "caught"
    """The verdict is `invalid`, and names the check."""
    HARMLESS = "harmless"
    """The verdict is `valid`, and all that was said of the item is true."""
    UNTOLD = "untold"
    """Nothing that is asked at this level was lied about."""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One lie told about one item, validated to one level."""

    level: int
    kind: str
    told: Told
    by: str = ""
    """The check that failed, or the reason code of another verdict."""
    detail: str = ""
    is_pinned: bool = True
    """Whether the item is at or below the checkpoint."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One lie. `cells` are empty where it could not be told with what the node has."""

    lie: str
    says: str
    caught_by: str
    why: str
    promises: dict[str, int | None]
    is_harmless: bool
    cells: tuple[Cell, ...]

    def at(self, level: int) -> tuple[Cell, ...]:
        """What became of it at this level, kind by kind; what was not told is left out."""
        return tuple(
            cell for cell in self.cells if cell.level == level and cell.told is not Told.UNTOLD
        )

    def is_believed(self, level: int) -> bool:
        return any(cell.told is Told.BELIEVED for cell in self.at(level))

    def broken_promises(self) -> tuple[Cell, ...]:
        """Where a level that promises to catch it does not; and harm done by what is no lie."""
        return tuple(cell for cell in self.cells if self._breaks(cell))

    def _breaks(self, cell: Cell) -> bool:
        if self.is_harmless:
            return cell.told not in (Told.HARMLESS, Told.UNTOLD)
        promised = self.promises.get(cell.kind)
        if promised == _ANCHORED and not cell.is_pinned:
            promised = _FINAL  # headers link a forged block too, where nothing pins it
        is_promised = promised is not None and cell.level >= promised
        return is_promised and cell.told in (Told.BELIEVED, Told.DENIED)


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """An item that lies are told about, and what the truth about it amounts to at a level."""

    kind: str
    subject: str
    verdict: Verdict
    level: int
    """The highest that the truth is valid at; -1 where it is at none."""
    reason: str
    """Why it is valid no higher."""
    is_pinned: bool
    """Whether it is at or below the checkpoint."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Of one drill. `is_whole` is False where its time ran out before the last lie."""

    node: str
    made_at: float
    """Epoch seconds."""
    ms: float
    calls: int
    """Asked of the node itself."""
    checkpoint: str
    items: tuple[Shown, ...]
    rows: tuple[Row, ...]
    is_whole: bool

    def believed(self, level: int) -> Iterator[Row]:
        """The lies that fool this deployment at this level."""
        return (row for row in self.rows if row.is_believed(level))

    def broken_promises(self) -> list[tuple[Row, Cell]]:
        return [(row, cell) for row in self.rows for cell in row.broken_promises()]
