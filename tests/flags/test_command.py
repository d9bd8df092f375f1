"""`manage.py flag`, at a terminal: lists, shows, moves, and waits until workers have heard."""

import io
import json
import os

import pytest
from django.core.management import call_command

from console.access.models import AuditEntry
from console.flags import acts
from console.flags.models import Flag
from monitoring.snapshots import FlagReport
from tests.controls.conftest import (  # noqa: F401 - fixtures, found by name
    empty_cache,
    no_valkey,
    publish,
    worker,
)
from tests.controls.test_command import (  # noqa: F401 - fixtures, found by name
    Publish,
    Waiting,
    run,
    waiting,
)
from tests.flags.made import WHY, actor, flag

pytestmark = pytest.mark.django_db
KEY = "checkout.codec"


def flag_command(*arguments: str) -> tuple[int, str]:
    return run(*arguments, command="flag")


def stands() -> tuple[str, str, int]:
    found = Flag.objects.get(pk=KEY)
    return found.target, found.rest, found.stage


def test_a_stage_is_moved_and_waited_for(publish: Publish, waiting: Waiting) -> None:  # noqa: F811
    seen = flag().revision
    publish(worker(1, acknowledged=seen))
    waiting.then = lambda: publish(worker(1, acknowledged=seen + 1))
    status, said = flag_command(KEY, "newer", "--stage", "25", "--rest", "new", "--reason", WHY)
    assert (status, stands()) == (0, ("newer", "new", 25))
    assert f"{KEY}: newer on 25 %, new else" in said
    assert f"(revision {seen + 1})" in said
    assert "acknowledged by 1 of 1 worker" in said
    entry = AuditEntry.objects.order_by("-id")[0]
    assert (entry.origin, entry.role, entry.action, entry.reason) == ("cli", "admin", "stage", WHY)
    status, said = flag_command(KEY, "--stage", "50", "--revision", str(seen))
    assert (status, f"you saw {seen}" in said, stands()[2]) == (2, True, 25)


class Closed(io.StringIO):
    def write(self, _: str) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("arguments", [["flag"], ["rehearse", "--flags"]])
def test_whoever_reads_may_have_read_enough(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "dup2", lambda *_: None)  # the tests' own output stays
    with pytest.raises(SystemExit) as ended:
        call_command(*arguments, stdout=Closed())
    assert ended.value.code == 141


def test_a_variant_alone_is_for_all_and_the_baseline_alone_rolls_back() -> None:
    flag()
    assert flag_command(KEY, "newer")[0] == 0
    assert stands() == ("newer", "old", 100)
    status, said = flag_command(KEY, "old", "--json")
    told = json.loads(said.splitlines()[-1])
    assert (status, told["key"], told["words"], told["state"]) == (0, KEY, "old", "baseline")
    assert stands() == ("newer", "old", 0)
    entry = AuditEntry.objects.order_by("-id")[0]
    assert (entry.action, entry.reason) == ("roll_back", "Changed at a terminal")


def test_a_worker_that_does_not_answer_is_said(publish: Publish) -> None:  # noqa: F811
    flag()
    publish(worker(1, acknowledged=0))
    status, said = flag_command(KEY, "--stage", "5", "--reason", WHY)
    assert (status, "acknowledged by 0 of 1 worker" in said, stands()[2]) == (1, True, 5)


def test_one_is_shown_with_each_worker(publish: Publish) -> None:  # noqa: F811
    flag(bake_s={"25": 600})
    done = acts.set_stage(actor(), KEY, stage=25, reason=WHY)
    there = FlagReport(key=KEY, variant="new", value="new", reason="TARGETING_MATCH")
    publish(worker(1, flags=(there,), acknowledged=done.revision), worker(2))
    status, said = flag_command(KEY)
    assert status == 0
    for line in (
        f"{KEY}: new on 25 %, old else (baseline old)", "variants: old, new, newer",
        "next: 50 %", "of 10", f"ada: {WHY}", "acknowledged by 1 of 2",
        "evaluations a minute: no data", "host:1: new, acknowledged; heard",
        "host:2: no data, not acknowledged",
    ):  # fmt: skip
        assert line in said


def test_all_are_listed_as_text_and_as_lines_of_json() -> None:
    flag()
    status, said = flag_command()
    assert (status, f"{KEY}: old (baseline old)" in said) == (0, True)
    status, said = flag_command("--json")
    told = [json.loads(line) for line in said.splitlines()]
    assert {one["key"] for one in told} == set(Flag.objects.values_list("key", flat=True))


def test_shown_without_the_cache_server_it_says_what_is_wanted(no_valkey: None) -> None:  # noqa: F811
    flag()
    status, said = flag_command(KEY)
    assert (status, f"{KEY}: old" in said, "cache server does not answer" in said) == (
        1, True, True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nope",), "There is no flag 'nope'"),
        (("nope", "--stage", "5"), "There is no flag 'nope'"),
        (("nope", "x"), "There is no flag 'nope'"),
        ((KEY, "nope"), "target 'nope' is not one of"),
        ((KEY, "--stage", "101"), "stage 101 is not a whole percent"),
        ((KEY, "--stage", "5", "--rest", "x"), "rest 'x' is not one of"),
        ((KEY, "--stage", "5", "--unit", "item"), "unit 'item' is not one of process"),
        ((KEY, "--stage", "5", "--reason", "because"), "--reason 'because' is not a reason"),
        ((KEY, "--stage", "5", "--revision", "77777"), "you saw 77777"),
        ((KEY, "--reason", WHY), "--reason changes nothing alone"),
        ((KEY, "--stage", "0"), "old already"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(arguments: tuple[str, ...], says: str) -> None:
    flag()
    before = AuditEntry.objects.count()
    status, said = flag_command(*arguments)
    assert (status, says in said) == (2, True), said
    assert "\n" not in said.strip()
    assert AuditEntry.objects.count() == before
