"""The servers of a folder: durable, found again, recovered, and refused in one clear line."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from console.embedded.cluster import Cluster
from console.embedded.errors import EmbeddedError
from console.embedded.places import places
from console.embedded.postgres import FAST, Postgres
from console.embedded.processes import processes_in
from console.embedded.valkey import Valkey, broker
from tests.services import ROOT


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster.under(tmp_path_factory.mktemp("var")) as running:
        yield running


def _connect(server: Valkey) -> redis.Redis:
    return redis.Redis.from_url(server.url)


def _show(cluster: Cluster, name: str) -> str:
    with psycopg.connect(cluster.dsn) as connection:
        row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("TimeZone", "UTC"),
        ("shared_preload_libraries", "pg_stat_statements"),
    ],
)
def test_postgres_is_durable_and_private(cluster: Cluster, name: str, value: str) -> None:
    assert _show(cluster, name) == value


def test_postgres_is_of_the_promised_version(cluster: Cluster) -> None:
    assert _show(cluster, "server_version").startswith("18.")


def test_cache_evicts_only_what_expires_and_broker_never_evicts(cluster: Cluster) -> None:
    with _connect(cluster.cache) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "volatile-lfu"}
        assert int(client.config_get("maxmemory")["maxmemory"]) > 0
    with _connect(cluster.broker) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}


def test_no_other_user_reaches_the_sockets(cluster: Cluster) -> None:
    modes = {server.socket.parent.stat().st_mode & 0o777 for server in cluster.servers}
    assert modes == {0o700}


def test_data_survives_a_crash_of_all_servers(cluster: Cluster) -> None:
    with psycopg.connect(cluster.dsn) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    with _connect(cluster.broker) as client:
        client.config_set("appendfsync", "always")
        client.set("kept", "8")
    cluster.kill9()
    assert not any(processes_in(server.home) for server in cluster.servers)
    cluster.start()
    with psycopg.connect(cluster.dsn) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)
    with _connect(cluster.broker) as client:
        assert client.get("kept") == b"8"


def test_running_servers_are_taken_over_and_stopped(cluster: Cluster) -> None:
    second = Cluster.under(cluster.places.var)
    second.start()
    assert [server.pid for server in second.servers] == [server.pid for server in cluster.servers]
    second.stop()
    assert not any(server.running for server in cluster.servers)
    cluster.start()


def test_a_server_whose_socket_was_swept_away_is_replaced(cluster: Cluster) -> None:
    before = cluster.postgres.pid
    cluster.postgres.socket.unlink()
    successor = Postgres(cluster.places)
    successor.start()
    assert processes_in(successor.home)[0].pid == successor.pid != before
    successor.stop()
    cluster.postgres.start()


def test_a_pid_file_that_names_somebody_else_is_ignored(cluster: Cluster) -> None:
    cluster.postgres.kill9()
    owner = cluster.postgres.home.stat()
    # Of the same user: Postgres itself ignores the processes of others.
    user = owner.st_uid if os.geteuid() == 0 else None
    with subprocess.Popen(["sleep", "60"], cwd="/", user=user) as stranger:
        (cluster.postgres.home / "postmaster.pid").write_text(
            f"{stranger.pid}\n{cluster.postgres.home}\n1\n5432\n{cluster.postgres.sockets}\n\n0 0\n"
        )
        cluster.postgres.start()
        stranger.kill()
    assert _show(cluster, "server_version")


def test_servers_end_with_a_starter_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import signal, sys; from pathlib import Path;"
        "from console.embedded.valkey import broker; from console.embedded.places import places;"
        "server = broker(places(Path(sys.argv[1]))); server.start(); print(server.pid, flush=True);"
        "signal.pause()"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as starter:
        assert starter.stdout is not None
        server = psutil.Process(int(starter.stdout.readline()))
        starter.kill()
    _, left = psutil.wait_procs([server], timeout=10)
    assert not [process for process in left if process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("folder", ["deep/" + "a long name, with 'odd' signs/" * 8, "private/var"])
def test_any_folder_works(tmp_path: Path, folder: str) -> None:
    var = tmp_path / folder
    var.mkdir(parents=True)
    var.parent.chmod(0o700)
    with Cluster.under(var, settings=FAST) as cluster:
        assert _show(cluster, "data_directory") == str(cluster.postgres.home)
        with _connect(cluster.cache) as client:
            assert client.ping()
    assert var in cluster.places.run.parents or not cluster.places.run.exists()


def test_another_version_is_refused(tmp_path: Path) -> None:
    server = Postgres(places(tmp_path))
    server.home.mkdir(parents=True)
    (server.home / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedError, match=r"holds data of PostgreSQL 17.*runs 18"):
        server.start()


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    server = Postgres(places(tmp_path))
    server.data.mkdir()
    (server.data / "thesis.txt").write_text("do not lose")
    with pytest.raises(EmbeddedError, match="holds files but no Postgres database"):
        server.start()
    assert (server.data / "thesis.txt").read_text() == "do not lose"


def test_a_database_left_half_made_is_made_again(tmp_path: Path) -> None:
    server = Postgres(places(tmp_path), settings=FAST)
    (server.data / "unfinished" / "base").mkdir(parents=True)
    server.start()
    server.stop()
    assert (server.home / "PG_VERSION").exists()


def test_damaged_data_is_named_with_the_servers_own_reason(tmp_path: Path) -> None:
    server = Postgres(places(tmp_path), settings=FAST)
    server.start()
    server.stop()
    (server.home / "global" / "pg_control").write_bytes(b"")
    reason = r"did not start: PANIC: .*pg_control.*postgres\.log.* from a backup"
    with pytest.raises(EmbeddedError, match=reason):
        server.start()


def test_a_damaged_broker_says_that_no_result_is_lost(tmp_path: Path) -> None:
    server = broker(places(tmp_path))
    server.start()
    with _connect(server) as client:
        client.set("key", "value")
    server.stop()
    for file in (server.data / "appendonlydir").glob("*.aof"):
        file.write_bytes(b"not a log of commands at all\r\n" * 20)
    with pytest.raises(EmbeddedError, match="holds wake-ups only, never results"):
        server.start()


def test_a_full_disk_is_named_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 3 << 20})
    monkeypatch.setattr("console.embedded.server.shutil.disk_usage", lambda _: usage)
    server = Postgres(places(tmp_path))
    with pytest.raises(EmbeddedError, match=r"Only 3 MB are free .* set VAR_DIR"):
        server.start()
    assert not any(server.data.iterdir())


def test_a_disk_that_fills_up_later_is_named(tmp_path: Path) -> None:
    lines = ['FATAL:  could not write file "pg_wal": No space left on device']
    assert "is full: free some space" in Postgres(places(tmp_path)).explain(lines)


def test_var_dir_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    with pytest.raises(EmbeddedError, match=r"VAR_DIR=.*var is not a folder"):
        places(tmp_path / "var")
