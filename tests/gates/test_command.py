"""`manage.py gates`: its exit says it, and no data is never a pass."""

import json
from dataclasses import replace
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from console.roadmap.gates import standing
from console.roadmap.gates.judged import Judged, State
from tests.gates.written import LAST, gauge, now, write

ONE = Judged(
    id="1.1.a", phase="roadmap.1", programme="roadmap", kind="criterion", title="pool below 70 %",
    source="001", lines="110", state="pass", value=42.123456, wanted="< 70", unit="%",
    window_s=3_600.0, samples=360, least=60, why="42 % of 360 points.", link="/pools/",
    optimisations=("1.1",),
)  # fmt: skip


def ran(capsys: pytest.CaptureFixture[str], *named: str, **options: Any) -> tuple[int, str]:
    """Its exit, and what it said."""
    try:
        call_command("gates", *named, **options)
    except SystemExit as ended:
        return int(ended.code or 0), capsys.readouterr().out
    except CommandError as refused:
        return refused.returncode, str(refused)
    return 0, capsys.readouterr().out


@pytest.mark.parametrize(
    ("states", "code"),
    [
        (("pass", "pass"), 0),
        (("pass", "fail"), 1),
        (("fail", "no_data", "not_measurable"), 1),
        (("pass", "no_data"), 3),
        (("pass", "not_measurable"), 3),
        (("no_data",), 3),
        ((), 3),
    ],
)
def test_the_exit_says_what_came_of_all(
    states: tuple[State, ...],
    code: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = tuple(replace(ONE, state=state) for state in states)
    monkeypatch.setattr(standing, "judge_all", lambda _phase: made)
    assert ran(capsys)[0] == code
    told = json.loads(ran(capsys, json=True)[1])
    assert told["passes"] is (code == 0)
    assert sum(told["counts"].values()) == len(states)


def test_each_is_a_line_with_its_figure_and_why_it_does_not_pass(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    why = "Of the last 1 h 17% is known; 80% is the least."
    open_ = replace(ONE, id="1.1.b", state="no_data", value=None, why=why)
    monkeypatch.setattr(standing, "judge_all", lambda _phase: (ONE, open_))
    _, said = ran(capsys)
    assert "pass           1.1.a: pool below 70 %: 42.12 % (wanted < 70)" in said
    assert f"no data        1.1.b: pool below 70 %: (wanted < 70)\n{'':14} {why}\n" in said
    assert "2 gates: 1 pass, 0 fail, 1 no data, 0 not measurable; of those that pass 0" in said


def test_what_a_test_holds_is_told_apart_from_what_was_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    held, built = replace(ONE, by="test"), replace(ONE, by="release")
    monkeypatch.setattr(standing, "judge_all", lambda _phase: (ONE, held, built))
    code, said = ran(capsys)
    assert code == 0
    assert "held by a test 1.1.a" in said
    assert "in this release 1.1.a" in said
    assert (
        "3 pass, 0 fail, 0 no data, 0 not measurable; of those that pass 1 by tests, 1 as" in said
    )


@pytest.mark.usefixtures("empty_history")
def test_of_a_phase_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    write(now(), range(LAST), lambda _: [gauge("db.pool_used", 0.9)])
    code, said = ran(capsys, "bottlenecks.1", json=True)
    found = {one["id"]: one for one in json.loads(said)["gates"]}
    assert code == 1
    assert {one["phase"] for one in found.values()} == {"bottlenecks.1"}
    pool = found["bottlenecks.1.pool"]
    assert (pool["state"], pool["value"], pool["optimisations"]) == ("fail", 90, ["bn.3"])


def test_an_unknown_phase_is_refused_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, said = ran(capsys, "week.1")
    assert code == 2
    assert "'week.1'" in said
    assert "roadmap.1" in said
