"""Writes docs/lies.md: what became of every lie at every level, as the drill found it.

`python -m tests.drill.table` renews it.
"""

import asyncio
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from msgspec.structs import replace

from tests.drill import worlds
from validation.devnode.lies import LIES
from validation.drill import LEVELS, Report, Row, Told, run

PLACE = Path(__file__).parents[2] / "docs" / "lies.md"
RENEW = ".venv/bin/python -m tests.drill.table"
BELOW = 4
"""So far under the items is the checkpoint of the second table."""

_HEAD = """\
# Lies, and the level that catches them

Written by the drill (`{renew}`), which tells every lie that the demo node knows
(`manage.py devnode --list-lies`) about items of the packaged chain and validates them at every
level of the trust ladder. `tests/drill/test_lie_table.py` fails where a level believes what it
promises to catch, and where this page is not what the drill finds. `/nodes/<label>/drill/` runs the
same against any node.

Levels: 0 answered · 1 well-formed · 2 self-consistent · 3 in its block · 4 anchored to the
checkpoint · 5 final.

In a cell: the check that **caught** it (the verdict is `invalid`) · *refused*: the answer was no
answer (`error`), with the reason · *doubted*: `unverifiable`, with the reason · *believed*: the
verdict is `valid` all the same, because of what stands in the last column · *not found*: the node
denied it · *harmless*: `valid`, and rightly so · `–`: what is asked at this level was not lied
about. Kinds are named where they differ: `tx`, `creation` (a transaction that created a contract),
`block` (by its number), `address`, `slot` (an address with a storage slot), `head`, and `unfinal`
(a block that is not final).

"""
_BETWEEN = """
## Above the checkpoint

Headers link a block to a checkpoint in both directions, but only one of them binds. What is at or
below the checkpoint is pinned by it: there is one chain of hashes that ends there. Above it anyone
can put a block of his own on top of the true chain, and its headers link. Whoever relies on level 4
for new blocks needs a new checkpoint, a second node (agreement), or level 5 with other nodes. The
forgeries again, about items {below} blocks above the checkpoint:

"""


@cache
def report() -> Report:
    """All lies about items at or below the checkpoint; those about finality also about one that
    is not final.
    """
    whole = asyncio.run(run(worlds.ChainTruth(), worlds.items(), worlds.trust(), most_s=600))
    final = worlds.chain().latest - worlds.FINAL_BEHIND
    truth, trust = worlds.ChainTruth(final), worlds.trust(final=final)
    lies = [lie for lie in LIES.values() if "unfinal" in lie.promises]
    not_final = asyncio.run(run(truth, worlds.unfinal(), trust, lies=lies, most_s=600))
    more = {row.lie: row.cells for row in not_final.rows}
    rows = tuple(replace(row, cells=row.cells + more.get(row.lie, ())) for row in whole.rows)
    return replace(whole, rows=rows)


@cache
def report_above() -> Report:
    """The lies that hold together by themselves, with a checkpoint below what is lied about."""
    lies = [lie for name, lie in LIES.items() if name.startswith("forged-")]
    trust = worlds.trust(worlds.small_block() - BELOW)
    return asyncio.run(run(worlds.ChainTruth(), worlds.items(), trust, lies=lies, most_s=600))


def written() -> str:
    return "".join(
        (
            _HEAD.format(renew=RENEW),
            _table(report().rows),
            _BETWEEN.format(below=BELOW),
            _table(report_above().rows),
        )
    )


def _table(rows: Sequence[Row]) -> str:
    levels = [str(level) for level in LEVELS]
    names = ["lie", "what is said", *levels, "caught by", "why not before"]
    lines = [_line(names), _line(["---"] * len(names))]
    for row in rows:
        cells = [_cell(row, level) for level in LEVELS]
        lines.append(_line([f"`{row.lie}`", row.says, *cells, row.caught_by, row.why]))
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell or " " for cell in cells) + " |"


def _cell(row: Row, level: int) -> str:
    by_text: dict[str, list[str]] = {}
    for cell in row.at(level):
        if cell.kind in row.promises:
            by_text.setdefault(_text(cell.told, cell.by), []).append(cell.kind)
    if len(by_text) < 2:
        return next(iter(by_text), "–")
    return ", ".join(f"{text} ({', '.join(kinds)})" for text, kinds in by_text.items())


def _text(told: Told, by: str) -> str:
    match told:
        case Told.CAUGHT:
            return f"**{by}**"
        case Told.REFUSED | Told.DOUBTED:
            return f"*{told}* {by}"
        case Told.DENIED:
            return "*not found*"
        case _:
            return f"*{told}*"


def main() -> int:
    PLACE.write_text(written())
    return 0


if __name__ == "__main__":
    sys.exit(main())
