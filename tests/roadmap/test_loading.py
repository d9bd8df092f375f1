"""The release's roadmap is brought into its tables, any number of times; operators' edits stay."""

from dataclasses import replace

import msgspec
import pytest
from django.db import IntegrityError, transaction
from pytest_django import DjangoAssertNumQueries

from console.roadmap import decisions, edits, loading
from console.roadmap.models import Edit, Entry, Optimisation, Phase, Programme
from console.roadmap.programmes import Roadmap, roadmap
from tests.controls.conftest import actor

pytestmark = pytest.mark.django_db
WHY = "Agreed in the weekly meeting"


def without(key: str) -> tuple[Roadmap, tuple[decisions.Optimisation, ...]]:
    """A release that does not bring it any more."""
    found, rows = roadmap(), decisions.optimisations()
    planned = {name: row for name, row in found.planned.items() if name != key}
    return replace(found, planned=planned), tuple(row for row in rows if row.id != key)


def test_a_migration_has_brought_all_of_it() -> None:
    assert Programme.objects.count() == 5
    assert Phase.objects.count() == sum(len(each.phase) for each in roadmap().programmes)
    assert set(Optimisation.objects.values_list("key", flat=True)) == roadmap().planned.keys()
    kinds = {kind: len(rows) for kind, rows in roadmap().entries().items()}
    assert {kind: Entry.objects.filter(kind=kind).count() for kind in kinds} == kinds


def test_a_row_holds_what_the_files_say() -> None:
    row = Optimisation.objects.get(pk="2.1")
    assert (row.programme_id, row.phase_id, row.priority) == ("roadmap", "roadmap.2", "high")
    assert row.facts["effects"][0]["low"] == -30
    assert row.facts["flags"] == ["db.replica_routing"]
    assert row.rollback


def test_loading_again_writes_nothing(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(11):
        assert loading.load() == []


def test_what_was_changed_behind_its_back_is_brought_back() -> None:
    Optimisation.objects.filter(pk="1.4").update(title="Another", facts={})
    Entry.objects.filter(kind="kpi", key="roadmap.kpi.1").delete()
    assert loading.load() == ["optimisation 1.4", "kpi roadmap.kpi.1"]
    assert Optimisation.objects.get(pk="1.4").title == "Real compression instead of Base64"


def test_edits_survive_a_reload() -> None:
    edits.edit(actor(), "1.4", {"owner": "Ada", "priority": "low"}, reason=WHY)
    planned = dict(roadmap().planned)
    planned["1.4"] = msgspec.structs.replace(planned["1.4"], priority="medium")
    assert loading.load(replace(roadmap(), planned=planned)) == ["optimisation 1.4"]
    row = Optimisation.objects.select_related("edit").get(pk="1.4")
    assert (row.priority, row.edit.priority, row.edit.owner) == ("medium", "low", "Ada")


def test_what_no_release_brings_goes_unless_somebody_wrote_of_it() -> None:
    found, rows = without("later.2")
    assert "optimisation later.2" in loading.load(found, rows)
    assert not Optimisation.objects.filter(pk="later.2").exists()
    edits.edit(actor(), "later.3", {"note": "Asked for by the board"}, reason=WHY)
    found, rows = without("later.3")
    assert "optimisation later.3" in loading.load(found, rows)
    assert not Optimisation.objects.get(pk="later.3").released
    assert Edit.objects.get(pk="later.3").note == "Asked for by the board"
    assert loading.load(found, rows) == []
    assert "optimisation later.3" in loading.load()
    assert Optimisation.objects.get(pk="later.3").released


def test_the_database_refuses_an_optimisation_without_a_way_back() -> None:
    row = Optimisation.objects.get(pk="1.1")
    row.rollback = ""
    with pytest.raises(IntegrityError, match="optimisation_has_way_back"), transaction.atomic():
        row.save()
