"""The application's role in a deployment reads and writes rows, and can change nothing else."""

import subprocess
from pathlib import Path

import psycopg
import pytest

from console.embedded.binaries import postgres_binary
from console.embedded.cluster import Cluster
from tests.services import ROOT


def test_the_application_owns_nothing(services: Cluster, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("it's secret")
    with psycopg.connect(services.dsn, autocommit=True) as admin:
        admin.execute("CREATE ROLE switchyard_owner LOGIN SUPERUSER")
        admin.execute("CREATE DATABASE deployed OWNER switchyard_owner")
        # The embedded server's own superuser bears the application's name.
        script = (ROOT / "deploy" / "postgres-roles.sh").read_text().replace("switchyard ", "app ")
        script = script.replace("TO switchyard;", "TO app;")
        subprocess.run(
            ["sh", "-c", script],
            check=True,
            capture_output=True,
            env={
                "PATH": f"{Path(postgres_binary('psql')).parent}:/usr/bin:/bin",
                "PGHOST": str(services.postgres.sockets),
                "POSTGRES_USER": "switchyard_owner",
                "POSTGRES_DB": "deployed",
                "DATABASE_PASSWORD_FILE": str(password),
            },
        )
    where = f"host={services.postgres.sockets} dbname=deployed"
    with psycopg.connect(f"{where} user=switchyard_owner", autocommit=True) as owner:
        owner.execute("CREATE TABLE audit (id bigserial, what text)")
    with psycopg.connect(f"{where} user=app", autocommit=True) as application:
        application.execute("INSERT INTO audit (what) VALUES ('seen')")
        assert application.execute("SELECT what FROM audit").fetchone() == ("seen",)
        for forbidden in ("DROP TABLE audit", "TRUNCATE audit", "CREATE TABLE mine (id int)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                application.execute(forbidden)
