"""What strangers wrote reaches a terminal as text and as nothing else."""

import io
import json

import pytest

from validation.printable import printable
from validation.report import Report
from validation.validators import Check, Outcome, Status, Verdict

_ESCAPE = "\x1b[2J\r\nall is well\x7f\x9b1A\u202e\u2028"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("as it is: é 漢 · …", "as it is: é 漢 · …"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\r\nb\t\x00\x7f", r"a\r\nb\t\x00\x7f"),
        ("\x9b\u2028\u202e\ufeff", r"\x9b\u2028\u202e\ufeff"),
        ("\U000e0001", r"\U000e0001"),
        ("", ""),
    ],
)
def test_only_what_can_be_looked_at_is_shown_as_it_is(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(text).isprintable()


@pytest.mark.parametrize("as_json", [False, True])
def test_what_a_node_said_of_an_item_stands_on_its_line(as_json: bool) -> None:
    out, err = io.StringIO(), io.StringIO()
    report = Report(as_json=as_json, out=out, err=err)
    outcome = Outcome(
        subject="head",
        verdict=Verdict.INVALID,
        level=1,
        reason=_ESCAPE,
        checks=(Check("hash", Status.FAIL, _ESCAPE),),
        node=_ESCAPE,
        ms=1.0,
    )
    report.outcome(outcome)
    report.say(f"two lines\nthe other {_ESCAPE}")
    for line in (out.getvalue() + err.getvalue()).removesuffix("\n").split("\n"):
        assert line.isprintable()
    assert len(out.getvalue().splitlines()) == (1 if as_json else 3)
    if as_json:
        assert json.loads(out.getvalue())["node"] == _ESCAPE
