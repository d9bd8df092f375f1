"""`manage.py loadtest`: what it prints and how it ends."""

import json
from collections.abc import Mapping

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from console.loadtests import table
from console.loadtests.criteria import CannotRun, Outcome, at_most
from console.loadtests.table import Scenario
from console.management.commands import loadtest
from validation.devnode.errors import DevnodeError


def _outcome(measured: float | None) -> Outcome:
    criterion = at_most("calls at once", measured, 256, source="000, load test 4")
    return Outcome(criteria=(criterion,), figures={"items": 3})


def _scenarios(measured: float | None) -> Mapping[str, Scenario]:
    made = Scenario(name="made-up", says="nothing", run=lambda _url: _outcome(measured))
    return {"made-up": made}


def _asked(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        call_command("loadtest", *arguments)
    return int(str(ended.value.code))


def test_the_sources_four_and_the_stampede_are_there() -> None:
    assert set(table.SCENARIOS) == {
        "connection-storm", "cache-thrash", "breaker-recovery", "rpc-concurrency", "cache-stampede",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("measured", "status", "line"),
    [
        (255, 0, "pass  calls at once: 255, wanted ≤ 256 (000, load test 4)"),
        (257, 1, "FAIL  calls at once: 257, wanted ≤ 256 (000, load test 4)"),
        (None, 1, "FAIL  calls at once: no data, wanted ≤ 256 (000, load test 4)"),
    ],
)
def test_each_criterion_is_a_line_with_what_was_wanted_and_measured(
    measured: float | None,
    status: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(loadtest, "SCENARIOS", _scenarios(measured))
    assert _asked("made-up") == status
    said = capsys.readouterr().out
    assert line in said.splitlines()
    assert "items: 3" in said


def test_json_is_one_object(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(loadtest, "SCENARIOS", _scenarios(300))
    assert _asked("made-up", "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["scenario"], told["passed"]) == ("made-up", False)
    [criterion] = told["criteria"]
    assert (criterion["measured"], criterion["wanted"], criterion["holds"]) == (300, 256, False)


def test_an_unknown_scenario_is_refused_with_those_there_are() -> None:
    with pytest.raises(CommandError, match=r"'cache-trash' is none of connection-storm") as refused:
        call_command("loadtest", "cache-trash")
    assert refused.value.returncode == 2


@pytest.mark.parametrize("why", [CannotRun("nobody is there."), DevnodeError("no port is free.")])
def test_what_could_not_run_says_why(why: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_url: str) -> Outcome:
        raise why

    made = Scenario(name="made-up", says="nothing", run=run)
    monkeypatch.setattr(loadtest, "SCENARIOS", {"made-up": made})
    with pytest.raises(CommandError, match=str(why)) as refused:
        call_command("loadtest", "made-up")
    assert refused.value.returncode == 2


def test_a_storm_needs_a_console_and_a_development_stack(settings: Settings, db: None) -> None:
    with pytest.raises(CommandError, match=r"no web process tells|nobody has an account"):
        call_command("loadtest", "connection-storm")
    settings.DEVELOPMENT = False
    with pytest.raises(CommandError, match="a storm is for a development stack"):
        call_command("loadtest", "connection-storm")
