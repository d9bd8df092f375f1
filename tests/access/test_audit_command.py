"""`manage.py audit --verify`, also of a trail that came back from a dump."""

import json
import os
import subprocess
import sys
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from console.access import chain, watch
from console.access.models import AuditEntry
from console.embedded.binaries import postgres_binary
from console.embedded.cluster import Cluster
from tests.access.test_chain import tamper, ten, write  # noqa: F401 - a fixture among them
from tests.services import ROOT, process_environment


def verify(*options: str) -> tuple[int, str]:
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("audit", "--verify", *options, stdout=out, stderr=StringIO())
    return int(str(ended.value.code)), out.getvalue()


def test_a_whole_trail_ends_with_zero_and_its_head(ten: list[AuditEntry]) -> None:  # noqa: F811 - the fixture
    status, said = verify("--anchor", f"10:{ten[-1].hash}", "--anchor", f"3:{ten[2].hash}")
    assert (status, said) == (0, f"whole: 10 rows, head 10:{ten[-1].hash}\n")
    told = json.loads(verify("--json")[1])
    # The tests' role is a superuser: it could get around the triggers.
    assert told == {"whole": True, "rows": 10, "position": 10, "hash": ten[-1].hash,
                    "begins_after": None, "broken": None, "guarded": False}  # fmt: skip


def test_a_broken_one_ends_with_one_and_names_the_row(ten: list[AuditEntry]) -> None:  # noqa: F811 - the fixture
    tamper("UPDATE access_auditentry SET actor = 'eve' WHERE position = 4")
    status, said = verify()
    assert status == 1
    assert said.startswith(f"broken (edited) at position 4: entry {ten[3].pk} at position 4")
    told = json.loads(verify("--json")[1])
    assert (told["whole"], told["broken"]["fault"], told["broken"]["entry"]) == (
        False,
        "edited",
        ten[3].pk,
    )


def test_an_anchor_of_what_was_cut_off_is_told(ten: list[AuditEntry]) -> None:  # noqa: F811 - the fixture
    status, said = verify("--anchor", f"12:{'a' * 64}")
    assert (status, "truncated" in said, "row 12 is missing" in said) == (1, True, True)


def test_the_head_that_the_console_saw_last_is_looked_for_too(ten: list[AuditEntry]) -> None:  # noqa: F811 - the fixture
    """Cut off together with its head, the trail is whole in itself."""
    watch.check()
    tamper(
        "DELETE FROM access_auditentry WHERE position > 8",
        "UPDATE access_audithead SET position = 8, hash ="
        " (SELECT hash FROM access_auditentry WHERE position = 8)",
    )
    assert chain.verify().broken is None
    status, said = verify()
    assert (status, "truncated" in said, "row 10 is missing" in said) == (1, True, True)
    write(3)  # others that took the places: the hash is not the one seen
    status, said = verify()
    assert (status, "rewritten" in said) == (1, True)


@pytest.mark.parametrize("options", [[], ["--verify", "--anchor", "7"]])
def test_what_cannot_be_asked_ends_with_two(db: None, options: list[str]) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("audit", *options)
    assert refused.value.returncode == 2


def test_a_database_that_is_away_ends_with_two(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_anchors: Any) -> None:
        raise OperationalError("connection refused\nand more")

    monkeypatch.setattr(chain, "verify", away)
    with pytest.raises(CommandError, match=r"connection refused$") as refused:
        call_command("audit", "--verify")
    assert refused.value.returncode == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", ["whole", "data alone"])
def test_a_trail_comes_back_from_a_dump_as_it_was(services: Cluster, way: str) -> None:
    """Of a whole dump the triggers come after the rows; for data alone they are switched off."""
    write(5)
    anchor = chain.head()
    name, restored = connection.settings_dict["NAME"], f"restored_{way[0]}"
    dump = services.places.var / f"{restored}.dump"
    if way == "whole":
        _run("pg_dump", services, "-Fc", "-f", str(dump), name)
        _run("createdb", services, restored)
        _run("pg_restore", services, "--exit-on-error", "-d", restored, str(dump))
    else:
        schema = services.places.var / "schema.dump"
        _run("pg_dump", services, "-Fc", "--schema-only", "-f", str(schema), name)
        _run("pg_dump", services, "-Fc", "--data-only", "-f", str(dump), name)
        _run("createdb", services, restored)
        _run("pg_restore", services, "--exit-on-error", "-d", restored, str(schema))
        _run("pg_restore", services, "--exit-on-error", "--disable-triggers", "-d", restored,
             str(dump))  # fmt: skip
    environment = process_environment(services)
    environment["DATABASE_URL"] = environment["DATABASE_URL"].replace(
        "/switchyard?", f"/{restored}?"
    )
    ended = subprocess.run(
        [sys.executable, "manage.py", "audit", "--verify", "--json", "--anchor", str(anchor)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    told = json.loads(ended.stdout)
    assert (ended.returncode, told["rows"], told["whole"]) == (0, 5, True), ended.stderr


def _run(program: str, cluster: Cluster, *arguments: str) -> None:
    environment = {**os.environ, "PGHOST": str(cluster.postgres.sockets), "PGUSER": "switchyard"}
    subprocess.run([postgres_binary(program), *arguments], env=environment, check=True, timeout=60)
