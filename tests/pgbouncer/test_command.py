"""`manage.py pgbouncer_ini`: what it writes starts; what cannot fit is refused, with the reason."""

import configparser
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from console.embedded.cluster import Cluster
from tests.pgbouncer.bouncer import PASSWORD, Bouncer


def _read(text: str) -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read_string(text)
    return config


def _asked(**options: object) -> int:
    """The exit status of a refusal."""
    with pytest.raises(CommandError) as refused:
        call_command("pgbouncer_ini", **options)
    return int(refused.value.returncode)


def test_what_it_writes_starts_and_lends_what_it_says(
    bounce: Callable[..., Bouncer], capsys: pytest.CaptureFixture[str]
) -> None:
    bouncer = bounce(pool=3)
    options = {"port": bouncer.port, "auth_file": str(bouncer.folder / "users")}
    call_command("pgbouncer_ini", **options)
    written = capsys.readouterr().out
    bouncer.restart_with(written)
    says = _read(written)["pgbouncer"]
    [entry] = bouncer.show("DATABASES")
    assert entry["pool_size"] == int(says["default_pool_size"])
    assert entry["max_connections"] == int(says["max_db_connections"])
    config = {row["key"]: row["value"] for row in bouncer.show("CONFIG")}
    # Every line is a setting that PgBouncer knows and took over.
    assert {key: config[key] or "" for key in says if key != "auth_file"} == {
        key: value for key, value in says.items() if key != "auth_file"
    }
    assert "WARNING" not in bouncer.log
    assert PASSWORD not in written


def test_it_reads_what_postgres_grants_now(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW max_connections")
        (granted,) = cursor.fetchone()
    call_command("pgbouncer_ini", workers=10_000 // 32)
    written = capsys.readouterr().out
    assert f"max_connections {granted}, 3 of them reserved" in written
    assert int(_read(written)["pgbouncer"]["default_pool_size"]) == int(granted) - 3 - 5


def test_it_writes_a_file(db: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pgbouncer.ini"
    call_command("pgbouncer_ini", mode="session", output=path)
    assert _read(path.read_text())["pgbouncer"]["pool_mode"] == "session"
    assert str(path) in capsys.readouterr().out
    assert _asked(output=tmp_path / "missing" / "pgbouncer.ini") == 2


def test_impossible_numbers_are_refused_with_the_reason(db: None) -> None:
    with pytest.raises(CommandError, match="max_connections=100 leaves 92") as refused:
        call_command("pgbouncer_ini", web=3, pool=256, max_connections=100)
    assert refused.value.returncode == 1
    assert _asked(mode="session", workers=500) == 1
    assert _asked(workers=-1) == 2
    assert _asked(port=0) == 2
    assert _asked(max_connections=0) == 2


def test_a_pooler_before_a_pooler_is_refused(
    bounce: Callable[..., Bouncer], settings: Settings
) -> None:
    settings.DATABASE_OWNER_URL = bounce().url
    with pytest.raises(CommandError, match="DATABASE_OWNER_URL leads to a pooler"):
        call_command("pgbouncer_ini")


def test_a_server_that_does_not_answer_is_named_without_its_password(
    db: None, settings: Settings
) -> None:
    settings.DATABASE_OWNER_URL = "postgresql://owner:hush@127.0.0.1:9/switchyard"
    with pytest.raises(CommandError, match="DATABASE_OWNER_URL: Postgres does not") as refused:
        call_command("pgbouncer_ini")
    assert "hush" not in str(refused.value)


def test_the_owner_is_asked_and_the_application_named(
    services: Cluster, db: None, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its URL leads around PgBouncer; the role that reads SHOW is the application's."""
    with psycopg.connect(services.dsn, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS pooled_owner")
        admin.execute("CREATE ROLE pooled_owner LOGIN")
    settings.DATABASE_OWNER_URL = services.dsn.replace("switchyard@", "pooled_owner@")
    call_command("pgbouncer_ini")
    config = _read(capsys.readouterr().out)
    assert config["pgbouncer"]["stats_users"] == "switchyard"
    assert list(config["databases"]) == ["switchyard"]
