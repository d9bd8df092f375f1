"""One optimisation on one page: what is said, decided, measured, and each act on it."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.access.models import AuditEntry
from console.access.roles import Role
from console.experiments import measuring, running
from console.experiments import tasks as experiment_tasks
from console.experiments.models import Experiment, ExperimentBlock, State
from console.experiments.workloads import WORKLOADS
from console.flags import acts
from console.flags.models import Flag
from console.flags.standing import Standing
from console.hub import Channel
from console.pages import optimisation, topics
from console.rehearsals import tasks as rehearsal_tasks
from console.rehearsals.models import Rehearsal
from console.roadmap.gates import standing
from console.rollouts.models import Automation, Rollout, RolloutStep
from tests.experiments.made_up import ACTOR, Blocks, claim, less_in_parallel
from tests.flags.made import actor
from tests.pages import flag_world
from tests.pages.conftest import Page
from tests.pages.flag_world import FETCH
from tests.rehearsals.made_up import drilled

See = Callable[..., Page]
ADDRESS = "/roadmap/1.6/"
WHY = "the weekly meeting asked for it"
RUNG: list[int] = []


@pytest.fixture(autouse=True)
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    flag_world.fleet(4)
    Experiment.objects.all().delete()  # what the release brings
    RUNG.clear()
    monkeypatch.setattr(experiment_tasks, "ring", RUNG.append)
    monkeypatch.setattr(rehearsal_tasks, "ring", RUNG.append)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Experiment:
    """40 % less, where 60 % is claimed."""
    monkeypatch.setitem(WORKLOADS, "validate", Blocks(less_in_parallel))
    return measuring.run(running.make(claim(), ACTOR, seed=7))


def _post(client: Client, address: str, answers: int, **given: Any) -> Page:
    response = client.post(address, given, follow=answers == 200)
    assert response.status_code == answers, response.content[:2_000]
    return Page(response.content.decode())


def _rolling(**more: Any) -> Rollout:
    """A rollout at 5 %, as its controller left it."""
    drilled(FETCH, "parallel")
    row = acts.set_stage(
        actor(), FETCH, stage=5, target="parallel", rest="sequential", reason="so that it is shown"
    )
    guard = {
        "metric": "mean_s", "most": 0.1, "treated": 0.012, "untreated": 0.010, "treated_units": 120,
        "untreated_units": 2_300, "ratio": 0.2, "least_ratio": 0.15, "finds": 0.1, "held": False,
        "words": "mean time is 20 % above",
    }  # fmt: skip
    now = timezone.now()
    given = {
        "flag": FETCH, "target": "parallel", "rest": "sequential", "unit": "item",
        "fleet": "worker", "stages": [5, 25, 100], "bake_s": 600, "least_units": 100, "stage": 5,
        "guards": [{"metric": "mean_s", "most": 0.1}], "baking_since": now - timedelta(seconds=60),
        "flag_revision": row.revision, "numbers": [guard], "seen_at": now, "reason": WHY,
        "actor": "ada", "role": "operator", "why": "5 % bakes.",
    }  # fmt: skip
    made = Rollout.objects.create(**(given | more))
    RolloutStep.objects.create(
        rollout=made, decision="start", stage=5, why="ada started it", numbers=[guard],
        flag_revision=row.revision, actor="ada",
    )  # fmt: skip
    return made


def test_it_says_what_the_source_says_and_what_was_decided(viewer: Client, see: See) -> None:
    page = see(viewer, ADDRESS)
    for said in (
        "An item's calls at once instead of one by one 1.6",
        "In force · not proved",
        "−70 to −60 % time of a validation",
        "src/services/validation/validation.service.ts:230-253",
        "A flag decides it.",
        "Where the sources disagree",
        "Task 1.6 shows an address' problem and a transaction's solution",
        "Nobody did anything about it yet.",
    ):
        assert said in page.text, said
    assert f"/flags/{FETCH}/" in page.hrefs()


def test_what_depends_and_what_is_the_same_is_linked(viewer: Client, see: See) -> None:
    assert {"/roadmap/1.1/", "/roadmap/1.2/"} <= see(viewer, "/roadmap/1.3/").hrefs()


def test_there_is_no_page_of_an_unknown_one(viewer: Client, see: See) -> None:
    see(viewer, "/roadmap/9.99/", 404)


@pytest.mark.parametrize("key", ["1.3", "1.8", "later.1", "1.5", "bn.3"])
def test_what_has_no_flag_says_why_an_act_is_not_there(
    operator: Client, see: See, key: str
) -> None:
    page = see(operator, f"/roadmap/{key}/")
    acts_there = page.text.partition("Claimed and measured")[2].partition("Gates")[0]
    assert "Roll back" in acts_there
    if key in {"1.3", "1.8", "later.1"}:
        assert "No flag of it has stages." in acts_there
        assert "No flag of it takes it back." in acts_there
        assert not [href for href in page.hrefs() if href.endswith("/ramp/")]


def test_claimed_stands_against_measured(viewer: Client, see: See, measured: Experiment) -> None:
    page = see(viewer, ADDRESS)
    found = measured.found["effect"]
    assert f"−{-100 * found['estimate']:.1f}" in page.text
    for said in (
        "Proved",
        "The claimed −60 % is not reached here.",
        f"manage.py experiment fetch-parallel --pairs 8 --seed {measured.seed}",
        f"code {measured.code_revision}",
        "pairs of each kind; with the noise seen it finds a true −5 %",
        "Against itself",
    ):
        assert said in page.text, said
    assert f"/roadmap/experiments/{measured.pk}/?format=json" in page.hrefs()
    drawn = [attrs for attrs in page.all("svg") if attrs.get("class") == "forest"]
    assert len(drawn) == 3
    assert all(attrs.get("aria-label") for attrs in drawn)


def test_what_was_measured_on_older_code_says_so(
    viewer: Client, see: See, measured: Experiment
) -> None:
    Experiment.objects.filter(pk=measured.pk).update(code_revision="0ld")
    page = see(viewer, ADDRESS)
    assert "older code" in page.text
    assert "code 0ld , not today's" in page.text


def test_earlier_measurements_are_drawn_beside_the_newest(
    viewer: Client, see: See, measured: Experiment
) -> None:
    for seed in range(5):
        measuring.run(running.make(claim(), ACTOR, seed=seed))
    page = see(viewer, ADDRESS)
    drawn = [attrs for attrs in page.all("svg") if attrs.get("class") == "forest"]
    assert len(drawn) == 8
    assert f"/roadmap/experiments/{measured.pk}/" in page.hrefs()
    assert "more measurements before" in page.text


def test_measuring_asks_what_it_takes_and_makes_an_experiment(operator: Client, see: See) -> None:
    asked = see(operator, f"{ADDRESS}measure/")
    assert "32 blocks: 8 pairs of sequential against parallel" in asked.text
    page = _post(operator, f"{ADDRESS}measure/", 200, claim="fetch-parallel", pairs=9, reason=WHY)
    made = Experiment.objects.get()
    assert (made.claim, made.pairs, made.state, made.actor) == (
        *("fetch-parallel", 9, State.QUEUED, "the-operator"),
    )
    assert [made.pk] == RUNG
    entry = AuditEntry.objects.get(kind="experiment")
    assert (entry.action, entry.reason) == ("measure", WHY)
    for said in (f"{made} measures fetch-parallel: 36 blocks.", "0 of 36 blocks", "Cancel…"):
        assert said in page.text, said


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"reason": "short"}, "is not a reason of 10 to 500 printable characters"),
        ({"pairs": "3"}, "3 is not a whole number of pairs from 8 to 200."),
        ({"pairs": "many"}, "Give a whole number of pairs."),
        ({"claim": "nothing"}, "'nothing' is not one of fetch-parallel."),
    ],
)
def test_what_cannot_be_measured_is_said_and_nothing_typed_is_lost(
    operator: Client, wrong: dict[str, str], said: str
) -> None:
    given = {"claim": "fetch-parallel", "pairs": "9", "reason": WHY} | wrong
    page = _post(operator, f"{ADDRESS}measure/", 422, **given)
    assert said in page.text
    typed = {attrs.get("name"): attrs.get("value") for attrs in page.all("input")}
    assert (typed["reason"], typed["pairs"]) == (given["reason"], given["pairs"])
    assert not Experiment.objects.exists()
    assert RUNG == []


def test_one_claim_is_measured_once_at_a_time(operator: Client, see: See) -> None:
    other = running.make(claim(), ACTOR)
    page = _post(operator, f"{ADDRESS}measure/", 422, claim="fetch-parallel", pairs=8, reason=WHY)
    assert f"{other} measures fetch-parallel already" in page.text
    assert "measures it already" in see(operator, f"{ADDRESS}measure/").text


def test_what_claims_nothing_cannot_be_measured(operator: Client, see: See) -> None:
    see(operator, "/roadmap/1.8/measure/", 404)


def test_progress_is_told_by_blocks_and_can_be_cancelled(
    operator: Client, viewer: Client, see: See
) -> None:
    row = running.make(claim(), ACTOR)
    now = timezone.now()
    Experiment.objects.filter(pk=row.pk).update(
        state=State.RUNNING, began_at=now - timedelta(seconds=60),
        lease_until=now + timedelta(minutes=5),
    )  # fmt: skip
    ExperimentBlock.objects.bulk_create(
        ExperimentBlock(
            experiment=row, ordinal=number, pair=number // 2, kind="ab", side="a",
            variant="parallel", began_at=now, took_s=1, figures={"item_ms": 3.0},
        )
        for number in range(8)
    )  # fmt: skip
    page = see(viewer, ADDRESS)
    assert "8 of 32 blocks" in page.text
    assert re.search(r"3 min( \d s)? left", page.text)
    assert "Cancel…" not in page.text
    assert [a for a in page.all("svg") if a.get("aria-label") == "25 percent done"]
    page = _post(operator, f"/roadmap/experiments/{row.pk}/cancel/", 200, reason=WHY)
    assert Experiment.objects.get().cancel_asked
    assert "it ends after this block" in page.text


def test_what_has_ended_is_not_cancelled(operator: Client, measured: Experiment) -> None:
    page = _post(operator, f"/roadmap/experiments/{measured.pk}/cancel/", 422, reason=WHY)
    assert "nothing to end" in page.text


def test_raw_data_is_taken_away_and_read(viewer: Client, see: See, measured: Experiment) -> None:
    address = f"/roadmap/experiments/{measured.pk}/"
    page = see(viewer, address)
    assert "Showing 32 of 32" in page.text
    answer = viewer.get(f"{address}?format=json")
    assert answer["Content-Disposition"] == f'attachment; filename="{measured}.json"'
    told = answer.json()
    assert len(told["blocks"]) == 32
    assert told["verdict"] == "proved"
    assert told["blocks"][0]["figures"]["item_ms"] > 0
    see(viewer, "/roadmap/experiments/999999/", 404)


def test_people_write_of_it_and_take_it_back(operator: Client, see: See) -> None:
    given = {"owner": "Ada", "due": "2030-01-31", "priority": "low", "note": "after the move"}
    page = _post(operator, f"{ADDRESS}edit/", 200, reason=WHY, revision=0, **given)
    for said in ("What you wrote of 1.6 is kept.", "Ada", "2030-01-31", "after the move", "Undo…"):
        assert said in page.text, said
    assert "here low , as the-operator says" in page.text
    revert = next(href for href in page.hrefs() if "/revert/" in href)
    _post(operator, revert, 200, reason="that was another one")
    assert "Owner nobody" in see(operator, ADDRESS).text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"due": "soon"}, "'soon' is not a day as 2030-01-31, or empty."),
        ({"priority": "urgent"}, "'urgent' is not one of"),
        ({"reason": "short"}, "is not a reason of 10 to 500 printable characters"),
        ({"status": "done"}, "an admin"),
    ],
)
def test_what_cannot_be_written_is_said(operator: Client, wrong: dict[str, str], said: str) -> None:
    page = _post(operator, f"{ADDRESS}edit/", 403 if "status" in wrong else 422,
                 **({"owner": "Ada", "reason": WHY} | wrong))  # fmt: skip
    assert said in page.text
    typed = {attrs.get("name"): attrs.get("value") for attrs in page.all("input")}
    assert typed["owner"] == "Ada"


def test_an_admin_says_a_status_beside_what_is_derived(admin: Client, see: See) -> None:
    _post(admin, f"{ADDRESS}edit/", 200, reason=WHY, revision=0, status="done")
    page = see(admin, ADDRESS)
    assert "the-admin says so" in page.text
    assert "What follows from flags and findings is In force · not proved" in page.text


def test_who_wrote_first_is_met(operator: Client, admin: Client) -> None:
    _post(admin, f"{ADDRESS}edit/", 200, reason=WHY, revision=0, owner="Eve")
    page = _post(operator, f"{ADDRESS}edit/", 409, reason=WHY, revision=0, owner="Ada")
    assert "Somebody was faster. the-admin changed this" in page.text


def test_rolling_back_goes_to_the_baseline_and_back_to_the_page(operator: Client) -> None:
    address = f"/flags/{FETCH}/roll-back/?optimisation=1.6"
    response = operator.post(address, {"reason": WHY})
    assert response["Location"] == ADDRESS
    assert Standing.of(Flag.objects.get(pk=FETCH)).words == "sequential"
    page = Page(operator.get(ADDRESS).content.decode())
    assert "It stands at its baseline." in page.text
    assert "Off" in page.text
    assert f"/flags/{FETCH}/ramp/?optimisation=1.6" in page.hrefs()


def test_ramping_says_what_will_happen(operator: Client, see: See) -> None:
    acts.roll_back(actor(), FETCH, reason="so that there is a way")
    page = see(operator, f"/flags/{FETCH}/ramp/?optimisation=1.6&target=parallel")
    for said in (
        "Now sequential First parallel on 5 %, sequential else",
        "25 %, 50 %, 100 %, each after 10 min in which all guards held",
        "Drill comes first, by itself",
        "Begin the rollout: 5 % first",
    ):
        assert said in page.text, said
    typed = {attrs.get("name"): attrs.get("value") for attrs in page.all("input")}
    assert (typed["stages"], typed["bake_s"], typed["mean_s"]) == ("5 25 50 100", "600", "10")


def test_a_guarded_rollout_begins_with_a_drill(operator: Client) -> None:
    acts.roll_back(actor(), FETCH, reason="so that there is a way")
    given = {
        "target": "parallel", "stages": "10, 50 100", "bake_s": "60", "least_units": "200",
        "error_share": "2", "mean_s": "", "p95_s": "30", "reason": WHY,
    }  # fmt: skip
    page = _post(operator, f"/flags/{FETCH}/ramp/?optimisation=1.6", 200, **given)
    made = Rollout.objects.get()
    assert (made.stages, made.bake_s, made.least_units) == ([10, 50, 100], 60, 200)
    assert made.guards == [
        {"metric": "error_share", "most": 0.02}, {"metric": "p95_s", "most": 0.3},
    ]  # fmt: skip
    assert made.state == "rehearsing"
    for said in ("to parallel has begun.", "Rehearsing · the flag is as it was", "Abort…"):
        assert said in page.text, said


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"stages": "50 25"}, "25 is not a whole percent from 51 to 100, above the one before it"),
        ({"stages": "half"}, "'half' is not a whole percent"),
        ({"bake_s": "1"}, "1 is not a whole number of seconds"),
        ({"bake_s": "long"}, "Give a whole number of seconds."),
        ({"stages": "9" * 120}, f"'{'9' * 120}' is not a whole percent"),
        ({"bake_s": "9" * 5000}, "Give a whole number of seconds."),
        ({"target": "nothing"}, "'nothing' is not"),
        ({"mean_s": "a bit"}, "Give a number of percent."),
        ({"mean_s": "", "error_share": "", "p95_s": ""}, "without, nothing is guarded"),
        ({"reason": "short"}, "is not a reason of 10 to 500 printable characters"),
    ],
)
def test_what_cannot_be_ramped_is_said_and_nothing_typed_is_lost(
    operator: Client, wrong: dict[str, str], said: str
) -> None:
    acts.roll_back(actor(), FETCH, reason="so that there is a way")
    given = {
        "target": "parallel", "stages": "5 100", "bake_s": "60", "least_units": "200",
        "error_share": "2", "mean_s": "10", "p95_s": "30", "reason": WHY,
    } | wrong  # fmt: skip
    page = _post(operator, f"/flags/{FETCH}/ramp/", 422, **given)
    assert said in page.text
    typed = {attrs.get("name"): attrs.get("value") for attrs in page.all("input")}
    for name in ("stages", "bake_s", "mean_s", "reason"):
        assert (typed[name] or "") == given[name], name
    assert not Rollout.objects.exists()


@pytest.mark.parametrize("name", ["stages", "bake_s"])
def test_a_number_of_thousands_of_digits_is_read_as_none(
    operator: Client, see: See, name: str
) -> None:
    acts.roll_back(actor(), FETCH, reason="so that there is a way")
    page = see(operator, f"/flags/{FETCH}/ramp/?target=parallel&{name}={'9' * 5000}")
    said = {"stages": "9' is not a whole percent from 1 to 100", "bake_s": "no bake is given"}
    assert said[name] in page.text
    given = {"target": "parallel", "stages": "5", "bake_s": "60", "reason": WHY}
    _post(operator, f"/flags/{FETCH}/ramp/", 422, **given | {name: "9" * 5000})


def test_what_all_have_already_is_refused_before_it_is_asked(operator: Client, see: See) -> None:
    page = see(operator, f"/flags/{FETCH}/ramp/?target=coalesced")
    assert "All have coalesced already" in page.text
    assert not [a for a in page.all("button") if "button-primary" in str(a.get("class"))]


def test_a_rollout_shows_its_numbers_and_its_log(operator: Client, see: See) -> None:
    _rolling()
    for address in (ADDRESS, f"/flags/{FETCH}/"):
        page = see(operator, address)
        for said in (
            f"Guarded rollout of {FETCH} to parallel",
            "Rolling out · 5 %",
            "Mean time 12 ms 10 ms +20 % +10 %",
            "Broken",
            "began by ada. ada started it",
            "Promote… Hold… Abort…",
        ):
            assert said in page.text.replace("12.0", "12").replace("10.0", "10"), (address, said)
    assert "Rolling out" in see(operator, "/").text


def test_the_overview_tells_of_what_was_taken_back_for_a_day(viewer: Client, see: See) -> None:
    now = timezone.now()
    row = _rolling(state="rolled_back", ended_at=now, why="mean time broke its guard twice")
    assert "mean time broke its guard twice" in see(viewer, "/").text
    Rollout.objects.filter(pk=row.pk).update(ended_at=now - timedelta(hours=25))
    assert "mean time broke its guard twice" not in see(viewer, "/").text


def test_a_rollout_is_held_resumed_and_aborted(operator: Client) -> None:
    _rolling()
    to = f"/flags/{FETCH}"
    _post(operator, f"{to}/hold/?optimisation=1.6", 200, reason=WHY)
    assert Rollout.objects.get().state == "held"
    page = _post(operator, f"{to}/hold/", 422, reason=WHY)
    assert "there is nothing to hold" in page.text
    _post(operator, f"{to}/resume/", 200, reason=WHY)
    assert Rollout.objects.get().state == "running"
    page = _post(operator, f"{to}/abort/?optimisation=1.6", 200, reason=WHY)
    assert Rollout.objects.get().state == "aborted"
    assert Standing.of(Flag.objects.get(pk=FETCH)).words == "sequential"
    assert "is aborted: sequential on all." in page.text
    assert "is over" in _post(operator, f"{to}/hold/", 422, reason=WHY).text


def test_a_rollout_is_promoted(operator: Client) -> None:
    _rolling()
    page = _post(operator, f"/flags/{FETCH}/promote/", 200, reason=WHY)
    assert Flag.objects.get(pk=FETCH).stage == 25
    assert "is promoted to 25 %." in page.text


def test_who_acted_on_the_rollout_first_is_met(operator: Client) -> None:
    row = _rolling()
    page = _post(operator, f"/flags/{FETCH}/hold/", 409, reason=WHY, revision=row.revision + 5)
    assert "Somebody was faster." in page.text
    shown = {attrs.get("name"): attrs.get("value") for attrs in page.all("input")}
    assert (shown["revision"], shown["reason"]) == (str(row.revision), WHY)
    assert Rollout.objects.get().state == "running"


def test_stopped_rollouts_go_on_once_somebody_has_looked(operator: Client, see: See) -> None:
    assert "They go on already." in see(operator, "/flags/-/rollouts-on/").text
    Automation.objects.create(stopped_at=timezone.now(), why="Four were taken back.")
    assert "Four were taken back." in see(operator, ADDRESS).text
    _post(operator, "/flags/-/rollouts-on/", 200, reason=WHY)
    assert Automation.objects.get().stopped_at is None


def test_the_way_back_is_rehearsed(operator: Client) -> None:
    page = _post(operator, f"/flags/{FETCH}/rehearse/?optimisation=1.6", 200,
                 target="parallel", reason=WHY)  # fmt: skip
    made = Rehearsal.objects.get()
    assert (made.flag, made.target, made.actor) == (FETCH, "parallel", "the-operator")
    assert [made.pk] == RUNG
    assert "waits for a worker" in page.text
    wrong = _post(operator, f"/flags/{FETCH}/rehearse/", 422, target="nothing", reason=WHY)
    assert "'nothing' is not" in wrong.text


def test_a_viewer_reads_and_is_told_who_acts(viewer: Client, see: See) -> None:
    _rolling()
    page = see(viewer, ADDRESS)
    assert "A viewer reads; operators measure, ramp and roll back." in page.text
    acting = ("measure", "edit", "ramp", "roll-back", "rehearse", "promote", "hold", "abort")
    assert not [href for href in page.hrefs() if href.rstrip("/").rpartition("/")[2] in acting]
    for address in (f"{ADDRESS}measure/", f"{ADDRESS}edit/", f"/flags/{FETCH}/ramp/"):
        assert viewer.get(address).status_code == 403
        assert viewer.post(address, {"reason": WHY}).status_code == 403


def test_acts_need_a_token_of_the_form(operator: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = operator.cookies
    for address in (f"{ADDRESS}measure/", f"/flags/{FETCH}/ramp/", f"/flags/{FETCH}/rehearse/"):
        assert strict.post(address, {"reason": WHY}).status_code == 403


def test_all_of_it_is_live(measured: Experiment, db: None) -> None:
    del measured
    _rolling()
    rendered = topics.render_optimisation("1.6", Role.OPERATOR)
    assert set(rendered) == {f"optimisation-{name}" for name in optimisation.REGIONS}
    Channel("optimisation:1.6", "1.6", Role.OPERATOR, topics.render_optimisation).take(rendered)
    assert topics.render_optimisation("9.99", Role.VIEWER) == {}


def test_more_to_show_takes_no_more_queries(viewer: Client, see: See, measured: Experiment) -> None:
    def count() -> int:
        standing.forget()  # kept for ten seconds, it would be asked for in one count alone
        with CaptureQueriesContext(connection) as found:
            see(viewer, ADDRESS)
        return len(found)

    few = count()
    for seed in range(4):
        measuring.run(running.make(claim(), ACTOR, seed=seed))
    assert count() <= few
    assert few < 60
