"""Every lie × level × kind: what a level promises to catch is caught, and docs/lies.md says so."""

import asyncio

import pytest

from tests.drill import table, worlds
from validation.devnode.lies import LIES
from validation.drill import Report, Row, Told, run

ROWS = sorted(LIES)
_NEEDS_CHECKPOINT = 4


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    return {row.lie: row for row in table.report().rows}


@pytest.mark.parametrize("lie", ROWS)
def test_no_level_believes_what_it_promises_to_catch(rows: dict[str, Row], lie: str) -> None:
    assert rows[lie].broken_promises() == ()


@pytest.mark.parametrize("lie", ROWS)
def test_each_lie_is_told_about_every_kind_that_it_names(rows: dict[str, Row], lie: str) -> None:
    told = {cell.kind for cell in rows[lie].cells if cell.told is not Told.UNTOLD}
    assert set(LIES[lie].promises) <= told


@pytest.mark.parametrize("lie", ROWS)
def test_what_is_believed_at_a_level_with_proofs_is_named(rows: dict[str, Row], lie: str) -> None:
    """Whoever relies on level 3 reads in the table what it does not cover: nothing is left out."""
    believed = {
        cell.kind for cell in rows[lie].cells if cell.told is Told.BELIEVED and cell.level > 2
    }
    assert believed <= set(LIES[lie].promises)


def test_the_truth_is_valid_as_high_as_its_kind_can_reach() -> None:
    levels = {item.kind: item.level for item in table.report().items}
    assert levels == {
        "tx": 5, "creation": 5, "block": 5, "address": 5, "slot": 5, "head": 4,
    }  # fmt: skip


def test_a_forgery_above_the_checkpoint_is_not_caught_by_it_and_the_page_says_so() -> None:
    above = {row.lie: row for row in table.report_above().rows}
    assert above["forged-miner"].is_believed(_NEEDS_CHECKPOINT)
    assert not above["forged-parent"].is_believed(_NEEDS_CHECKPOINT)


def test_what_a_drill_leaves_out_is_what_it_would_have_found() -> None:
    """It validates to few levels of each lie and says the rest: on a few lies, to all of them."""
    lies = [LIES[name] for name in ROWS[::9]]
    truth, items, trust = worlds.ChainTruth(), worlds.items(), worlds.trust()
    thorough = asyncio.run(run(truth, items, trust, lies=lies, is_thorough=True))
    quick = asyncio.run(run(truth, items, trust, lies=lies))

    def told(report: Report) -> list[object]:
        # Of what a check of many finds first, the detail is another's at another level.
        return [
            (row.lie, cell.kind, cell.level, cell.told, cell.by)
            for row in report.rows
            for cell in row.cells
        ]

    assert told(quick) == told(thorough)


def test_the_page_says_what_the_drill_finds() -> None:
    assert table.PLACE.read_text() == table.written(), f"renew docs/lies.md: {table.RENEW}"
