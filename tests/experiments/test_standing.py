"""How claims stand: measured here goes before the release, and another claim proves nothing."""

import json
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from django.core.management import call_command
from django.utils import timezone

from console.experiments import measuring, running, shipped, shipping, standing, telling
from console.experiments.claims import claims, unmeasured
from console.experiments.models import Experiment, State
from console.experiments.standing import Standing
from console.experiments.workloads import WORKLOADS
from console.roadmap import status
from tests.experiments.made_up import ACTOR, Blocks, claim, less_in_parallel

pytestmark = pytest.mark.django_db

KEY = "fetch-parallel"


@pytest.fixture(autouse=True)
def nothing_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WORKLOADS, "validate", Blocks(less_in_parallel))
    Experiment.objects.all().delete()


def measured(seed: int = 1, **changes: object) -> Experiment:
    return measuring.run(running.make(claim(KEY, **changes), ACTOR, seed=seed))


def ours() -> Standing:
    [each] = [each for each in standing.of("1.6") if each.key == KEY]
    return each


def test_all_claims_are_told_also_where_nothing_was_measured() -> None:
    told = standing.of()
    assert [each.key for each in told] == [*claims(), *(each.key for each in unmeasured())]
    assert {each.verdict for each in told} == {""}
    assert ours().words == "not measured yet"
    [pool] = [each for each in standing.of("1.1") if each.key == "db-pool"]
    assert (pool.holds, pool.claim) == (None, None)
    assert pool.words.startswith("cannot be measured here: The pool")


def test_what_was_measured_is_held_against_the_claim_in_words() -> None:
    measured()
    assert (ours().verdict, ours().holds) == ("proved", True)
    said = "proved, less than claimed: claimed -60.0% item_ms; measured -39."
    assert ours().words.startswith(said)
    assert f"here on {timezone.now():%Y-%m-%d}" in ours().words


def test_the_last_that_was_measured_here_goes_before_the_release(tmp_path: Path) -> None:
    shipping.write(measured(), tmp_path)
    Experiment.objects.all().delete()
    assert shipped.load(tmp_path) == [KEY]
    assert ours().newest == Experiment.objects.get()
    assert "by the release on" in ours().words
    mine = measured(seed=2)
    # However old it is.
    Experiment.objects.filter(pk=mine.pk).update(created_at=timezone.now() - timedelta(days=900))
    assert ours().newest == mine
    assert len(ours().history) == 2


def test_twenty_are_remembered_and_the_last_that_is_done_though_all_those_failed() -> None:
    done = measured()
    for _ in range(22):
        running.make(claim(KEY), ACTOR)
    Experiment.objects.exclude(pk=done.pk).update(state=State.FAILED)
    assert ours().newest == done
    assert len(ours().history) == 20
    assert done not in ours().history


def test_what_was_measured_of_another_claim_of_that_name_proves_nothing_of_this_one() -> None:
    measured(least=0.35)
    assert (ours().verdict, len(ours().history)) == ("", 1)


def test_one_that_runs_goes_before_one_that_waits_and_whose_runner_is_gone_does_neither() -> None:
    first, second = (running.make(claim(KEY), ACTOR) for _ in range(2))
    assert ours().running == first
    now = timezone.now()
    mine = Experiment.objects.filter(pk=second.pk)
    mine.update(state=State.RUNNING, lease_until=now + timedelta(seconds=60))
    assert ours().running == second
    mine.update(lease_until=now - timedelta(seconds=1))
    assert ours().running == first


def test_status_is_told_of_each_optimisation_and_only_what_is_proved_holds() -> None:
    measured()
    found = status.findings()
    assert [each.holds for each in found["1.6"] if each.key == KEY] == [True]
    assert [each.holds for each in found["2.1"] if each.kind == "evidence"] == [None]
    Experiment.objects.update(verdict="refuted")
    assert [each.holds for each in status.findings()["1.6"] if each.key == KEY] == [False]
    Experiment.objects.update(verdict="inconclusive")
    assert [each.holds for each in status.findings()["1.6"] if each.key == KEY] == [None]


def test_it_is_said_how_often_such_a_plan_finds_an_effect() -> None:
    measured()
    five, ten, thirty = ours().finds
    assert 0 <= five.share <= ten.share <= thirty.share <= 1
    assert thirty.words == "finds -30% with 100%"
    assert ours().proves is not None
    assert ours().proves.share > 0.99  # type: ignore[union-attr]


def test_what_is_shipped_is_brought_once_and_taken_away_with_its_file(tmp_path: Path) -> None:
    experiment = measured()
    raw = telling.blocks_of(experiment)
    path = shipping.write(experiment, tmp_path)
    assert shipped.load(tmp_path) == [KEY]
    assert shipped.load(tmp_path) == []
    row = Experiment.objects.get(shipped=True)
    assert row.found["effect"]["estimate"] == pytest.approx(
        experiment.found["effect"]["estimate"], rel=1e-5
    )
    assert row.code_revision == experiment.code_revision
    kept = shipped.blocks(row, tmp_path)
    assert [block["variant"] for block in kept] == [block["variant"] for block in raw]
    assert [block["figures"]["item_ms"] for block in kept] == pytest.approx(
        [block["figures"]["item_ms"] for block in raw], rel=1e-5
    )
    told = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(told | {"seed": told["seed"] + 1}), encoding="utf-8")
    assert shipped.blocks(row, tmp_path) == []  # another one's, until it is loaded
    assert shipped.load(tmp_path) == [KEY]
    path.unlink()
    assert shipped.load(tmp_path) == [KEY]
    assert Experiment.objects.get() == experiment


def test_the_command_writes_what_was_measured_here_and_nothing_a_release_brought(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Experiment.objects.filter(pk=measured().pk).update(shipped=True)
    for said in ("", f"{tmp_path / KEY}.json\n"):
        with pytest.raises(SystemExit):
            call_command("experiment", "--ship", str(tmp_path))
        assert capsys.readouterr().out == said
        Experiment.objects.update(shipped=False)
    assert [*shipped.rows(tmp_path)] == [KEY]


def test_what_is_not_measured_to_its_end_is_not_shipped(tmp_path: Path) -> None:
    with pytest.raises(shipping.NotShipped, match="is queued: it says nothing"):
        shipping.write(running.make(claim(KEY), ACTOR), tmp_path)
    assert not list(tmp_path.iterdir())


def test_only_what_a_claim_means_makes_it_another_one() -> None:
    experiment = running.make(claims()[KEY], ACTOR)
    said_better = msgspec.structs.replace(claims()[KEY], note="Said better.", title="Other words")
    assert standing.is_of(said_better, experiment)
    assert not standing.is_of(msgspec.structs.replace(said_better, node={}), experiment)
