"""Runbooks: one for each rule, whole, and their commands are run."""

import re
import shlex
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.db import connection, transaction

from console import runbooks
from monitoring.alerts.catalogue import RULES

SECTIONS = ["See it", "Find the cause", "Mend it", "Prove that it is over", "What it costs to wait"]
NAMES = sorted({rule.runbook for rule in RULES.values()})
_BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def _text(name: str) -> str:
    return (runbooks.FOLDER / f"{name}.md").read_text(encoding="utf-8")


def _blocks(kind: str) -> list[tuple[str, str]]:
    return [
        (name, body)
        for name in NAMES
        for found, body in _BLOCK.findall(_text(name))
        if found == kind
    ]


def test_every_rule_has_its_runbook_and_every_runbook_its_rule() -> None:
    assert runbooks.names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_says_all_that_is_needed(name: str) -> None:
    text = _text(name)
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings[: len(SECTIONS)] == SECTIONS
    assert text.startswith("# ")
    for link in re.findall(r"\]\(([a-z-]+)\.md\)", text):
        assert link in NAMES, "it leads to another runbook"


@pytest.mark.parametrize(("name", "query"), _blocks("sql"))
def test_each_query_is_one_that_postgres_answers(db: None, name: str, query: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
        cursor.execute(query.replace("%", "%%"), [])
        assert cursor.description


def test_each_command_is_one_of_ours_with_options_that_it_knows() -> None:
    known = get_commands()
    asked = [
        shlex.split(line)
        for _, body in _blocks("sh")
        for line in body.splitlines()
        if "manage.py" in line
    ]
    assert len(asked) > 10
    for python, manage, command, *arguments in asked:
        assert (python, Path(manage).name) == (".venv/bin/python", "manage.py")
        app = known[command]
        assert isinstance(app, str)
        parser = load_command_class(app, command).create_parser("manage.py", command)
        parser.parse_args(arguments)
