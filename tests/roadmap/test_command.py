"""`manage.py roadmap`: shows one or all, in words and as JSON; writes of one."""

import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from console.roadmap.models import Edit, Optimisation
from console.roadmap.reading import FOLDER, DataError

pytestmark = pytest.mark.django_db
WHY = "Agreed in the weekly meeting"


@pytest.fixture
def ran(capsys: pytest.CaptureFixture[str]) -> Any:
    """Its exit, and what it said."""

    def run(*words: str, **options: Any) -> tuple[int, str]:
        try:
            call_command("roadmap", *words, **options)
        except SystemExit as ended:
            return int(ended.code or 0), capsys.readouterr().out
        except CommandError as refused:
            return refused.returncode, str(refused)
        return 0, capsys.readouterr().out

    return run


def test_loading_says_what_it_wrote(ran: Any) -> None:
    Optimisation.objects.filter(pk="1.4").update(title="Another")
    assert ran("load") == (0, "optimisation 1.4\n1 written\n")
    assert ran("load") == (0, "nothing to write\n")


def test_a_file_that_is_wrong_loads_nothing(ran: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong() -> None:
        raise DataError(FOLDER / "io.toml", "[[optimisation]] 1", "effort_h: no number")

    monkeypatch.setattr("console.roadmap.loading.roadmap", wrong)
    assert ran("load") == (
        2, "Nothing was loaded. io.toml, [[optimisation]] 1: effort_h: no number",
    )  # fmt: skip


def test_all_are_shown_under_their_programmes(ran: Any) -> None:
    status, said = ran("show")
    assert status == 0
    assert "promised 70 to 95 % by adding; they compound to 57 to 70 %" in said
    # In force, by evidence that the release brings and gates that hold.
    assert f"1.4      critical {'done':22} Real compression" in said
    assert said.index("1.4 ") < said.index("fix.5 ")


def test_one_is_shown_with_all_that_is_said_of_it(ran: Any) -> None:
    status, said = ran("show", "1.4")
    assert status == 0
    assert "source: 001, lines 243-354" in said
    assert "way back: Roll the flag back" in said
    assert "contradictions: codec, current-is-fixed, split" in said


def test_as_json(ran: Any) -> None:
    one = json.loads(ran("show", "1.4", json=True)[1])
    assert (one["id"], one["status"]["state"]) == ("1.4", "done")
    whole = json.loads(ran("show", json=True)[1])
    assert len(whole["optimisations"]) == Optimisation.objects.count()
    assert len(whole["adrs"]) == 4


def test_an_edit_is_written_and_shown(ran: Any) -> None:
    assert ran("edit", "1.4", "--owner", "Ada", "--reason", WHY)[0] == 0
    assert Edit.objects.get(pk="1.4").owner == "Ada"
    assert "'owner': 'Ada'" in ran("show", "1.4")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "9.9"), "no optimisation '9.9'"),
        (("edit", "1.4"), "edit '' is not one of owner"),
        (("edit",), "Name the optimisation"),
        (("edit", "1.4", "--due", "soon"), "due 'soon' is not a day"),
    ],
)
def test_what_cannot_be_done_is_said(ran: Any, words: tuple[str, ...], said: str) -> None:
    status, text = ran(*words)
    assert status == 2
    assert said in text
