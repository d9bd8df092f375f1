"""The roadmap: counts that add up, filters by the address, claims, targets, files and a report."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from console.access.audit import Actor
from console.access.roles import Role
from console.experiments.claims import claims
from console.experiments.models import Experiment
from console.flags.models import Flag
from console.pages import interval, roadmap_files, topics
from console.pages.roadmap_wish import VIEWS
from console.roadmap import decisions, edits
from console.roadmap.gates import standing
from console.roadmap.gates.standing import Judged, Measured
from console.roadmap.models import Edit, Optimisation
from console.roadmap.programmes import roadmap
from tests.pages.conftest import Page

type See = Callable[..., Page]

ADMIN = Actor(name="amina", role=Role.ADMIN, origin="page")
LIST = "/roadmap/?view=list"
CLAIM = "fetch-parallel"


@pytest.fixture(autouse=True)
def nothing_measured() -> Any:
    """Gates and series are others' tests; here they say what a test wants."""
    with (
        patch.object(standing, "judge_all", return_value=()) as judged,
        patch.object(standing, "measured", return_value={}) as measured,
    ):
        yield judged, measured


def measured_claim(verdict: str, low: float, at: float, high: float) -> Experiment:
    claim = claims()[CLAIM]
    now = datetime(2030, 1, 31, 12, tzinfo=UTC)
    return Experiment.objects.create(
        claim=CLAIM, claimed=msgspec.to_builtins(claim), optimisations=list(claim.optimisations),
        flag=claim.flag, baseline=claim.baseline, treatment=claim.treatment, pairs=8, seed=1,
        state="done", actor="amina", began_at=now, ended_at=now, verdict=verdict,
        why="As it was measured <b>.",
        found={"effect": {"scale": "ratio", "estimate": at, "low": low, "high": high,
                          "spread": 0.1, "pairs": 8}},
    )  # fmt: skip


def a_gate(id: str, state: str, phase: str = "roadmap.1") -> Judged:  # noqa: A002 - its name
    return Judged(
        id=id, phase=phase, programme="roadmap", kind="phase gate", title=f"the gate {id}",
        source="001", lines="1", state=state, value=None, wanted="below 1", unit="s",  # type: ignore[arg-type]
        window_s=60, samples=0, least=1, why=f"because of {id}", link="", optimisations=("1.1",),
    )  # fmt: skip


def keys(page: Page) -> list[str]:
    """Of the optimisations in the list, in their order."""
    return re.findall(r'class="words name-cell second"><a href="/roadmap/([^/]+)/', page.html)


@pytest.mark.parametrize("view", VIEWS)
def test_each_view_is_a_page(viewer: Client, see: See, view: str) -> None:
    page = see(viewer, f"/roadmap/?view={view}")
    assert len(page.ids()) == len(set(page.ids()))
    current = [one for one in page.all("a") if one.get("aria-current") == "true"]
    assert any(f"view={view}" in str(one["href"]) or view == "plan" for one in current)


def test_counts_of_the_phases_add_up_to_all_optimisations(viewer: Client, see: See) -> None:
    page = see(viewer, "/roadmap/")
    total = page.html[page.html.index('<tr class="sum">') :]
    found = [int(n) for n in re.findall(r">(\d+)</a>", total)][:6]
    assert sum(found[:5]) == found[5] == len(decisions.optimisations()) == 96
    for programme in roadmap().programmes:
        assert programme.title in page.text
        assert all(phase.title in page.text for phase in programme.phase)


def test_the_headline_is_compounded_with_its_arithmetic(viewer: Client, see: See) -> None:
    text = see(viewer, "/roadmap/").text
    assert "57–70 %" in text
    assert "40 + 20 + 10 = 70 %" in text
    assert "50 + 30 + 15 = 95 %" in text
    assert "1 − 0.6 × 0.8 × 0.9 = 56.8 %" in text
    assert "1 − 0.5 × 0.7 × 0.85 = 70.25 %" in text


def test_the_next_gate_of_a_phase_is_its_first_that_does_not_pass(
    viewer: Client, see: See, nothing_measured: Any
) -> None:
    judged, _ = nothing_measured
    judged.return_value = (a_gate("a", "pass"), a_gate("b", "fail"), a_gate("c", "no_data"))
    text = see(viewer, "/roadmap/").text
    assert "Gates passed 1 of 3" in text
    assert "The gate b roadmap.1: because of b" in text
    assert "Fail the gate b 1 of 3 pass" in text


def test_what_cannot_be_measured_is_never_next_and_what_a_test_holds_has_not_passed(
    viewer: Client, see: See, nothing_measured: Any
) -> None:
    judged, _ = nothing_measured
    held = replace(a_gate("a", "pass"), by="test")
    judged.return_value = (held, a_gate("b", "not_measurable"), a_gate("c", "no_data"))
    text = see(viewer, "/roadmap/").text
    assert "Gates passed 0 of 3 1 held by a test" in text
    assert "The gate c roadmap.1: because of c" in text
    judged.return_value = (held, a_gate("b", "not_measurable"))
    text = see(viewer, "/roadmap/").text
    assert "0 of 2 pass, 1 held by a test, 1 cannot be measured here" in text
    assert "because of b" not in text


def test_where_nobody_judges_it_is_said(viewer: Client, see: See) -> None:
    text = see(viewer, "/roadmap/").text
    assert "Gates passed no data" in text
    assert "not judged" in text


def test_a_flag_that_moves_moves_the_counts(viewer: Client, see: See) -> None:
    before = len(keys(see(viewer, f"{LIST}&state=partial")))
    flag = Flag.objects.get(pk="rpc.fetch_mode")
    flag.target, flag.rest, flag.stage = "parallel", flag.baseline, 25
    flag.save()
    page = see(viewer, f"{LIST}&state=partial")
    assert before == 0
    assert "1.6" in keys(page)
    assert "In part · 25" in page.text


FILTERS: dict[str, Callable[[decisions.Optimisation], bool]] = {
    "programme=io": lambda row: row.programme == "io",
    "phase=roadmap.2": lambda row: roadmap().planned[row.id].phase == "roadmap.2",
    "phase=none": lambda row: not roadmap().planned[row.id].phase,
    "decision=permanent": lambda row: row.decision == "permanent",
    "state=not_built": lambda row: not row.built,
    "q=cache.codec": lambda row: "cache.codec" in row.flags,
    "decision=flag&programme=fixpack": lambda row: (
        row.decision == "flag" and row.programme == "fixpack"
    ),
}


@pytest.mark.parametrize("query", FILTERS)
def test_the_list_is_narrowed_by_the_address(viewer: Client, see: See, query: str) -> None:
    wanted = [row.id for row in decisions.optimisations() if FILTERS[query](row)]
    page = see(viewer, f"{LIST}&{query}")
    assert sorted(keys(page)) == sorted(wanted) != []
    assert f"Showing {len(wanted)} of 96" in page.text


@pytest.mark.parametrize("asked", ["1.6", "bn.12", "ov.6.1", "own.1"])
def test_an_optimisation_is_found_by_its_id(viewer: Client, see: See, asked: str) -> None:
    assert asked in keys(see(viewer, f"/roadmap/?q={asked}"))


def test_a_search_finds_what_is_no_optimisation_too(viewer: Client, see: See) -> None:
    page = see(viewer, "/roadmap/?q=PgBouncer")
    assert "/roadmap/?view=contradictions#pgbouncer-mode" in page.hrefs()
    found = see(viewer, "/roadmap/?view=contradictions")
    assert "pgbouncer-mode" in found.ids()


def test_sorting(viewer: Client, see: See) -> None:
    planned = roadmap().planned
    by_priority = keys(see(viewer, f"{LIST}&sort=priority"))
    ranks = [edits.PRIORITIES.index(planned[key].priority) for key in by_priority]
    assert ranks == sorted(ranks)
    assert len(by_priority) == 96
    efforts = [planned[key].effort_h or -1 for key in keys(see(viewer, f"{LIST}&sort=effort"))]
    assert efforts == sorted(efforts, reverse=True)


@pytest.mark.parametrize("name", ["view", "programme", "phase", "state", "decision", "sort"])
def test_what_cannot_be_is_refused_with_field_and_value(
    viewer: Client, see: See, name: str
) -> None:
    page = see(viewer, f"/roadmap/?{name}=<b>nonsense", status=422)
    assert f"{name}: '<b>nonsense' is none of" in page.text
    assert "<b>nonsense" not in page.html
    for address in ("/roadmap/export.csv", "/roadmap/export.json"):
        response = viewer.get(f"{address}?{name}=nonsense")
        assert response.status_code == 422
        assert f"{name}: 'nonsense'" in response.content.decode()


def test_a_search_that_is_too_long_is_refused(viewer: Client, see: See) -> None:
    assert "at most 100 characters" in see(viewer, f"/roadmap/?q={'x' * 101}", status=422).text


def test_none_match_and_none_yet_are_two_things(viewer: Client, see: See) -> None:
    assert "None match" in see(viewer, f"{LIST}&q=nothing+is+named+so").text
    Optimisation.objects.update(released=False)
    assert "No optimisation yet" in see(viewer, LIST).text
    assert "96" not in see(viewer, "/roadmap/").text.partition("Optimisations")[2][:8]


def test_claimed_and_measured_stand_beside_each_other(viewer: Client, see: See) -> None:
    before = see(viewer, "/roadmap/?view=claims&q=nothing")
    assert "None match" in before.text
    shipped = set(keys(see(viewer, f"{LIST}&evidence=inconclusive")))
    measured_claim("inconclusive", -0.7, -0.41, -0.1)
    page = see(viewer, "/roadmap/?view=claims")
    assert "−60.0 %" in page.text
    assert "−41.0 % −70.0 % to −10.0 %" in page.text.replace("\u202f", " ")
    assert "Inconclusive As it was measured <b>. measured here, 2030-01-31, 8 pairs" in page.text
    assert "measured <b>" not in page.html
    labels = [one.get("aria-label") or "" for one in page.all("svg")]
    assert any("claimed −60.0" in one and "inconclusive" in one for one in labels)
    row = see(viewer, f"{LIST}&evidence=inconclusive")
    of_claim = set(claims()[CLAIM].optimisations)
    assert not of_claim <= shipped
    assert set(keys(row)) == of_claim | shipped


def test_a_claim_that_nobody_measured_is_no_data(viewer: Client, see: See) -> None:
    Experiment.objects.all().delete()
    text = see(viewer, "/roadmap/?view=claims").text
    table = text.partition("Verdict, and why")[2]
    assert table.count("no data") == table.count("Not measured") == len(claims())
    assert "Claims proved 0 of" in text


@pytest.mark.parametrize("key", ["fetch-parallel", "l1-size", "retry-backoff"])
def test_an_interval_has_nothing_left_and_the_claimed_right(key: str) -> None:
    claim = claims()[key]
    effect = {"low": claim.expected, "estimate": claim.expected, "high": claim.expected}
    plot = interval.of(claim, effect, "proved", "")
    assert plot.at == pytest.approx(interval.CLAIMED) == plot.claimed
    none = interval.of(claim, {"low": 0.0, "estimate": 0.0, "high": 0.0}, "refuted", "")
    assert none.at == pytest.approx(interval.NOTHING)
    assert interval.NOTHING < plot.least <= interval.CLAIMED
    far = interval.of(claim, {"low": -9.0, "estimate": 0.0, "high": 9.0}, "inconclusive", "")
    assert far.beyond == (True, True)
    assert (far.low, far.high) == (1.5, 98.5)


def test_targets_show_what_is_measured_and_no_data_else(
    viewer: Client, see: See, nothing_measured: Any
) -> None:
    _, measured = nothing_measured
    measured.return_value = {
        "roadmap.api_avg": Measured(
            value=55.0, unit="ms", why="", points=(60.0, None, 55.0), link="/workers/",
            age_s=4.0, meets=False, reached=("week 1", "week 2"),
        )
    }  # fmt: skip
    page = see(viewer, "/roadmap/?view=targets")
    row = page.text.partition("API response, average")[2][:200].replace("\u202f", " ")
    assert "55 ms 4 s ago Not met" in row
    assert row.count("reached") == 2
    assert "no data" in page.text.partition("API response, p99")[2][:200]
    assert page.html.count('class="spark"') == 1


def test_every_contradiction_has_its_choice_and_reason(viewer: Client, see: See) -> None:
    page = see(viewer, "/roadmap/?view=contradictions")
    for each in roadmap().contradictions:
        assert each.id in page.ids()
        assert each.subject in page.text
    assert f"{len(roadmap().contradictions)} contradictions" in page.text


def test_decisions_risks_and_costs(viewer: Client, see: See) -> None:
    text = see(viewer, "/roadmap/?view=decisions").text
    assert all(adr.title in text for adr in roadmap().adrs)
    assert all(risk.title in text for risk in roadmap().risks)
    costs = see(viewer, "/roadmap/?view=costs").text.replace("\u202f", " ")
    assert "7 800 $ 17 441 $ 2.9 × 2.2 × 1.2 × 2.5 %" in costs
    assert "78 said 60" in costs


def rows_of(client: Client, address: str) -> list[dict[str, str]]:
    response = client.get(address)
    assert response.status_code == 200
    body = b"".join(response)
    return list(csv.DictReader(io.StringIO(body.decode())))


def test_the_csv_is_exact(viewer: Client) -> None:
    rows = rows_of(viewer, "/roadmap/export.csv")
    assert [row["id"] for row in rows] == [row.id for row in decisions.optimisations()]
    (one,) = (row for row in rows if row["id"] == "1.4")
    decided = decisions.by_id("1.4")
    assert list(one) == list(roadmap_files.COLUMNS)
    assert (one["title"], one["rollback"]) == (decided.title, decided.rollback)
    assert (one["flags"], one["source"], one["effort_h"]) == ("cache.codec", "001", "2.0")
    assert one["claimed"].lstrip("'").endswith("memory of L2")


def test_the_csv_is_narrowed_as_the_list_is(viewer: Client, see: See) -> None:
    assert (
        "/roadmap/export.csv?view=list&state=not_built"
        in see(viewer, f"{LIST}&state=not_built").hrefs()
    )
    rows = rows_of(viewer, "/roadmap/export.csv?state=not_built")
    assert {row["state"] for row in rows} == {"not_built"}


def test_the_page_answers_with_its_export_where_a_format_is_asked_for(viewer: Client) -> None:
    rows = rows_of(viewer, "/roadmap/?format=csv&state=not_built")
    assert {row["state"] for row in rows} == {"not_built"}
    answer = viewer.get("/roadmap/?format=json&state=not_built")
    assert answer["Content-Type"] == "application/json"
    assert {each["state"] for each in answer.json()["optimisations"]} == {"not_built"}
    assert viewer.get("/roadmap/?format=csv&state=odd").status_code == 422


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_a_spreadsheet_calculates_nothing(viewer: Client, text: str) -> None:
    Edit.objects.create(optimisation_id="1.4", owner=text, note='fine, "so"\nit is')
    (one,) = (row for row in rows_of(viewer, "/roadmap/export.csv") if row["id"] == "1.4")
    assert one["owner"] == f"'{text}"
    assert one["note"] == 'fine, "so"\nit is'


def test_the_json_has_all_of_it(viewer: Client) -> None:
    measured_claim("proved", -0.7, -0.65, -0.6)
    response = viewer.get("/roadmap/export.json")
    told = json.loads(response.content)
    assert response["Content-Disposition"] == 'attachment; filename="roadmap.json"'
    assert [one["id"] for one in told["optimisations"]] == [
        row.id for row in decisions.optimisations()
    ]
    assert Counter(one["state"] for one in told["optimisations"]).total() == 96
    assert len(told["contradictions"]) == len(roadmap().contradictions)
    (claim,) = (one for one in told["claims"] if one["key"] == CLAIM)
    assert (claim["verdict"], claim["experiment"]["pairs"]) == ("proved", 8)
    assert len(told["claims"]) == len(claims())


def test_the_report_can_be_read_on_paper(viewer: Client, see: See) -> None:
    page = see(viewer, "/roadmap/report/")
    assert not page.all("header")[0].get("class")  # no navigation of the console
    assert "As of 20" in page.text
    for row in decisions.optimisations():
        assert row.title in page.text
    for programme in roadmap().programmes:
        assert f"{programme.document}: {programme.title}" in page.text
    assert all(each.subject in page.text for each in roadmap().contradictions)
    assert "Roll the flag back to its baseline" in page.text
    assert page.html.count("page-break") >= 5


def test_what_an_admin_said_is_shown_as_such(viewer: Client, see: See) -> None:
    edits.edit(ADMIN, "1.6", {"status": "done", "owner": "<b>Ada"}, reason="Agreed by everybody")
    page = see(viewer, f"{LIST}&q=1.6")
    assert "said by an admin" in page.text
    assert "<b>Ada" not in page.html


def test_the_figures_are_pushed_and_a_view_asks_for_itself(viewer: Client, see: See) -> None:
    regions = topics.render_roadmap("", Role.VIEWER)
    page = see(viewer, "/roadmap/?view=claims")
    assert list(regions) == ["roadmap-figures"]
    assert "roadmap-figures" in page.ids()
    (view,) = (attrs for _, attrs in page.tags if attrs.get("id") == "roadmap-view")
    assert view["hx-get"] == "/roadmap/?view=claims"
    again = see(viewer, "/roadmap/?view=claims", HX_Request="true")
    assert again.ids()[0] == "roadmap-view"
    pulse = re.search(r'data-pulse="(\w+)"', regions["roadmap-figures"])
    measured_claim("proved", -0.7, -0.65, -0.6)
    regions = topics.render_roadmap("", Role.VIEWER)
    after = re.search(r'data-pulse="(\w+)"', regions["roadmap-figures"])
    assert pulse
    assert after
    assert pulse[1] != after[1]


@pytest.mark.parametrize("view", VIEWS)
def test_queries_are_few(viewer: Client, view: str) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as found:
            assert viewer.get(f"/roadmap/?view={view}").status_code == 200
        return len(found)

    asked()  # what is remembered from then on is remembered now
    few = asked()
    for _ in range(30):
        measured_claim("proved", -0.7, -0.65, -0.6)
    assert asked() == few <= 16
