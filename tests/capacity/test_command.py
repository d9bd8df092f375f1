"""`manage.py capacity`: the exit says it, the words say which and what to do."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from monitoring.collectors.postgres_samples import PostgresSample
from tests.capacity.test_sources import TOO_MANY
from tests.made_up_database import a_server, a_valkey, publish, some_connections
from tests.made_up_fleet import a_pool, a_worker
from tests.made_up_fleet import publish as workers

pytestmark = pytest.mark.django_db


@pytest.fixture
def small_fleet(settings: Settings) -> None:
    """Two workers, and servers that the collector has seen."""
    settings.WORKERS = 2
    workers(*(a_worker(n, pools=(a_pool(limit=128, limit_max=128),)) for n in (1, 2)))
    sample = PostgresSample(
        server=a_server(role_most=-1, database_most=-1, shared_bytes=256 << 20, statement_ms=0),
        connections=some_connections(),
    )
    publish(postgres=sample, valkey=a_valkey(), broker=a_valkey())


def ran(capsys: pytest.CaptureFixture[str], **options: Any) -> tuple[int, str]:
    """Its exit, and what it said."""
    try:
        call_command("capacity", **options)
    except SystemExit as ended:
        return int(ended.code or 0), capsys.readouterr().out
    except CommandError as refused:
        return refused.returncode, str(refused)
    return 0, capsys.readouterr().out


def found(text: str) -> dict[str, dict[str, Any]]:
    return {one["key"]: one for one in json.loads(text)["limits"]}


@pytest.mark.usefixtures("small_fleet")
def test_a_fleet_within_its_limits_but_on_another_machine_is_not_known_in_full(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, said = ran(capsys)
    assert "holds   postgres.connections: 33 of 97 connections" in said
    assert "no data worker.files: 72 of no data files" in said
    assert "not known: no data is never fine" in said
    assert code == 2


@pytest.mark.usefixtures("small_fleet")
def test_more_workers_than_postgres_takes(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = ran(capsys, workers=64)
    assert code == 1
    assert said.startswith("BROKEN  postgres.connections: 157 of 97 connections")
    assert "ALTER SYSTEM SET max_connections = 160;" in said


@pytest.mark.usefixtures("small_fleet")
def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = ran(capsys, workers=64, json=True)
    assert (code, json.loads(said)["violated"]) == (1, ["postgres.connections"])
    connections = found(said)["postgres.connections"]
    assert (connections["uses"], connections["allows"], connections["holds"]) == (157, 97, False)
    assert connections["age_s"] < 60


def test_where_nothing_is_known_nothing_is_fine(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = ran(capsys, json=True)
    assert code == 2
    assert json.loads(said)["holds"] is False
    assert found(said)["postgres.connections"]["holds"] is None


def test_numbers_of_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "numbers.json"
    file.write_text(json.dumps(TOO_MANY))
    code, said = ran(capsys, given=file)
    assert code == 1
    assert "768 clients → 100 connections to Postgres" in said
    assert "default_pool_size = 192" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "holds no numbers of a fleet: Input data was truncated"),
     ('{"workers": "8"}', "Expected `int | null`, got `str` - at `$.workers`")],
)  # fmt: skip
def test_a_file_that_is_none(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "numbers.json"
    file.write_text(text)
    code, refusal = ran(capsys, given=file)
    assert code == 2
    assert str(file) in refusal
    assert said in refusal


def test_what_cannot_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    for number in (0, 513):
        text = f"--workers {number} is not a whole number from 1 to 512."
        assert ran(capsys, workers=number) == (2, text)
    code, said = ran(capsys, given=Path("/nowhere"))
    assert (code, "cannot be read" in said) == (2, True)


@pytest.mark.usefixtures("small_fleet")
def test_without_the_cache_server_it_says_what_it_lacks(
    capsys: pytest.CaptureFixture[str], no_valkey: None
) -> None:
    code, said = ran(capsys, json=True)
    assert code == 2
    assert "web.pool" in json.loads(said)["unknown"]
