"""Every optimisation of the sources has a decision that can be trusted."""

import ast
from pathlib import Path

import pytest

from console.flags.catalogue import BY_KEY
from console.roadmap.decisions import Optimisation, of_flag, optimisations
from tests.roadmap import table

ROOT = Path(__file__).parents[2]
# As the roadmap numbers its tasks.
MAIN = [
    f"{phase}.{task}" for phase, tasks in ((1, 8), (2, 6), (3, 7)) for task in range(1, tasks + 1)
]


def _id(row: Optimisation) -> str:
    return row.id


def test_all_tasks_of_the_roadmap_are_there_in_their_order() -> None:
    assert [row.id for row in optimisations() if row.programme == "roadmap"][:21] == MAIN
    assert table.in_order()


def test_each_has_an_id_of_its_own_and_a_way_back() -> None:
    ids = [row.id for row in optimisations()]
    assert len(set(ids)) == len(ids)
    assert not [row.id for row in optimisations() if not row.rollback or not row.title]


@pytest.mark.parametrize("row", [o for o in optimisations() if o.decision == "flag"], ids=_id)
def test_a_flag_is_in_the_catalogue_with_a_baseline_and_another_variant(row: Optimisation) -> None:
    assert row.flags
    for key in row.flags:
        assert len(BY_KEY[key].variants) > 1
        assert BY_KEY[key].wired or not row.built


@pytest.mark.parametrize("row", [o for o in optimisations() if o.decision == "permanent"], ids=_id)
def test_what_is_permanent_says_why_and_a_test_guards_it(row: Optimisation) -> None:
    path, _, name = row.test.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    defined = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert name in defined
    assert row.reason
    assert not row.flags


def test_what_is_deployment_says_why() -> None:
    rows = [row for row in optimisations() if row.decision == "deployment"]
    assert rows
    assert all(row.reason and not row.flags and not row.test for row in rows)


def test_each_flag_belongs_to_an_optimisation() -> None:
    assert [key for key in BY_KEY if not of_flag(key)] == []


def test_the_page_says_what_the_data_says() -> None:
    assert table.PLACE.read_text(encoding="utf-8") == table.written(), f"renew it: {table.RENEW}"
