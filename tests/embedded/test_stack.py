"""What `make up` starts, and what it leaves to the operator."""

import socket
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from console import env
from console.embedded.child import Program
from console.embedded.cluster import Cluster
from console.embedded.errors import EmbeddedError
from console.embedded.keys import ADMIN_MADE, secret_key_file, write_private
from console.embedded.lock import hold
from console.embedded.readiness import port_near, refuse_busy
from console.embedded.server import Server
from console.embedded.stack import Stack, schema_of
from console.embedded.supervisor import Supervisor
from console.embedded.terminal import Terminal
from tests.services import ROOT
from validation.devnode import packaged


class Rehearsal(Supervisor):
    """Notes what would be started instead of starting it."""

    def __init__(self, status: int = 0) -> None:
        self.servers: list[str] = []
        self.programs: dict[str, Program] = {}
        self.said: list[str] = []
        self._status = status

    async def serve(self, servers: Sequence[Server]) -> None:
        self.servers += [server.name for server in servers]

    async def once(self, program: Program) -> int:
        self.programs[program.name] = program
        return self._status

    async def keep(self, *programs: Program) -> None:
        self.programs |= {program.name: program for program in programs}

    def say(self, text: str) -> None:
        self.said.append(text)


def stack(var: Path, given: dict[str, str] | None = None) -> Stack:
    return Stack(root=ROOT, var=var, host="127.0.0.1", port=8000, workers=3, given=given or {})


async def rehearse(var: Path, given: dict[str, str] | None = None, *, status: int = 0) -> Rehearsal:
    Cluster.under(var).postgres.data.mkdir(exist_ok=True)
    supervisor = Rehearsal(status)
    await stack(var, given).begin(supervisor)
    return supervisor


async def test_a_machine_with_nothing_gets_everything(tmp_path: Path) -> None:
    started = await rehearse(tmp_path)
    assert sorted(started.servers) == ["broker", "cache", "postgres"]
    order = [name for name in started.programs if name != "node"]
    assert order == ["setup", "web", "worker", "beat"]
    assert "node" in started.programs
    environment = started.programs["worker"].environment
    cluster = Cluster.under(tmp_path)
    assert environment["DATABASE_URL"] == cluster.postgres.url
    assert environment["REDIS_URL"] == cluster.cache.url
    assert environment["CELERY_BROKER_URL"] == cluster.broker.broker_url
    assert environment["NODE_URLS"].startswith("http://127.0.0.1:")
    assert environment["CHECKPOINT"] == packaged.CHECKPOINT
    assert environment["NODE_CHAIN_ID"] == str(packaged.CHAIN_ID)
    assert environment["DEVELOPMENT"] == "1"
    assert started.programs["worker"].command[-3:-2] == ["3"]


async def test_the_demo_node_is_a_program_of_its_own(tmp_path: Path) -> None:
    node = (await rehearse(tmp_path)).programs["node"]
    assert node.command[1:3] == ["-m", "console.embedded.node"]


def test_the_demo_nodes_program_loads_no_django() -> None:
    code = "import sys, console.embedded.node; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


async def test_the_demo_chains_first_block_is_trusted_for_the_demo_chain_only(
    tmp_path: Path,
) -> None:
    own = await rehearse(tmp_path, {"NODE_URLS": "https://node.example/key"})
    assert {"CHECKPOINT", "NODE_CHAIN_ID"}.isdisjoint(own.programs["worker"].environment)
    trusted = f"5:0x{'ab' * 32}"
    given = await rehearse(tmp_path, {"CHECKPOINT": trusted})
    assert given.programs["worker"].environment["CHECKPOINT"] == trusted


async def test_each_process_is_told_which_it_is(tmp_path: Path) -> None:
    started = await rehearse(tmp_path)
    for name, program in started.programs.items():
        assert program.environment["SWITCHYARD_PROCESS"] == name


@pytest.mark.parametrize(
    ("name", "value", "spared"),
    [
        ("DATABASE_URL", "postgresql://db.example/x", "postgres"),
        ("REDIS_URL", "redis://cache.example/0", "cache"),
        ("CELERY_BROKER_URL", "redis://broker.example/0", "broker"),
        ("NODE_URLS", "https://node.example/key", "node"),
    ],
)
async def test_what_the_operator_gives_is_used(
    tmp_path: Path, name: str, value: str, spared: str
) -> None:
    started = await rehearse(tmp_path, {name: value})
    assert spared not in [*started.servers, *started.programs]
    assert started.programs["web"].environment[name] == value
    # Another terminal has its own environment; a URL may hold a password.
    assert value not in (tmp_path / "stack.env").read_text()


async def test_replicas_are_started_and_told_of(tmp_path: Path) -> None:
    Cluster.under(tmp_path).postgres.data.mkdir(exist_ok=True)
    supervisor = Rehearsal()
    await replace(stack(tmp_path), replicas=2).begin(supervisor)
    # After the primary, which they copy.
    assert supervisor.servers[-2:] == ["replica1", "replica2"]
    told = supervisor.programs["web"].environment["DATABASE_REPLICA_URLS"].split(",")
    assert [url.rpartition(";")[2] for url in told] == ["weight=60", "weight=40"]


@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_REPLICA_URLS"])
async def test_replicas_of_the_operators_database_are_not_made(tmp_path: Path, name: str) -> None:
    given = {name: "postgresql://db.example/x"}
    with pytest.raises(EmbeddedError, match=f"REPLICAS=1 makes replicas .* {name} is set"):
        await replace(stack(tmp_path, given), replicas=1).begin(Rehearsal())


async def test_other_terminals_find_the_stack_and_lose_it(tmp_path: Path) -> None:
    await rehearse(tmp_path)
    path = tmp_path / "stack.env"
    assert f"DATABASE_URL={Cluster.under(tmp_path).postgres.url}\n" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    env.forget_stack(tmp_path)
    assert not path.exists()


async def test_other_terminals_are_told_how_large_the_stack_is_and_where_it_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever said so: what the operator gave in this terminal is in no other."""
    for name in ("HOST", "PORT", "WORKERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VAR_DIR", str(tmp_path))
    given = {"HOST": "127.0.0.1", "PORT": "8000", "WORKERS": "3"}
    try:
        started = await rehearse(tmp_path, given)
        env.forget_stack(tmp_path / "another")  # what was read before is not remembered
        assert (env.text("HOST"), env.text("PORT")) == ("127.0.0.1", "8000")
        assert env.integer("WORKERS", 2, low=1, high=512) == 3
    finally:
        env.forget_stack(tmp_path)
    assert env.text("PORT", "none") == "none"
    assert started.programs["worker"].environment["WORKERS"] == "3"


async def test_a_new_admins_password_is_shown_once(tmp_path: Path) -> None:
    started = await rehearse(tmp_path, status=ADMIN_MADE)
    password = started.programs["setup"].environment["SWITCHYARD_ADMIN_PASSWORD"]
    assert len(password) >= 16
    assert any(password in line for line in started.said)
    again = await rehearse(tmp_path)
    assert not any("with the password" in line for line in again.said)


async def test_a_given_password_is_never_shown(tmp_path: Path) -> None:
    given = {"SWITCHYARD_ADMIN_PASSWORD": "correct horse"}
    started = await rehearse(tmp_path, given, status=ADMIN_MADE)
    assert started.programs["setup"].environment["SWITCHYARD_ADMIN_PASSWORD"] == "correct horse"
    assert not any("correct horse" in line for line in started.said)


async def test_migrations_run_as_the_owner_where_there_is_one(tmp_path: Path) -> None:
    given = {"DATABASE_URL": "postgresql://app@db/x", "DATABASE_OWNER_URL": "postgresql://own@db/x"}
    started = await rehearse(tmp_path, given)
    assert started.programs["setup"].environment["DATABASE_URL"] == "postgresql://own@db/x"
    assert started.programs["web"].environment["DATABASE_URL"] == "postgresql://app@db/x"


async def test_an_unchanged_schema_is_not_prepared_again(tmp_path: Path) -> None:
    assert "setup" in (await rehearse(tmp_path)).programs
    assert "setup" not in (await rehearse(tmp_path)).programs
    Cluster.under(tmp_path).postgres.prepared.write_text("of an older version")
    assert "setup" in (await rehearse(tmp_path)).programs


async def test_a_database_of_the_operators_is_always_prepared(tmp_path: Path) -> None:
    for _ in range(2):
        started = await rehearse(tmp_path, {"DATABASE_URL": "postgresql://db.example/x"})
        assert "setup" in started.programs


async def test_nothing_starts_on_a_database_that_could_not_be_prepared(tmp_path: Path) -> None:
    Cluster.under(tmp_path).postgres.data.mkdir()
    supervisor = Rehearsal(status=1)
    with pytest.RaisesGroup(EmbeddedError):
        await stack(tmp_path).begin(supervisor)
    assert "web" not in supervisor.programs
    assert not Cluster.under(tmp_path).postgres.prepared.exists()


def test_a_new_migration_changes_the_schema(tmp_path: Path) -> None:
    folder = tmp_path / "validation" / "migrations"
    folder.mkdir(parents=True)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "base.txt").write_text("django==6.1\n")
    before = schema_of(tmp_path)
    assert schema_of(tmp_path) == before
    (folder / "0001_initial.py").write_text("operations = []")
    assert schema_of(tmp_path) != before


def test_the_secret_key_is_made_once_and_private(tmp_path: Path) -> None:
    path = secret_key_file(tmp_path)
    key = path.read_text()
    assert len(key) > 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret_key_file(tmp_path).read_text() == key


def test_a_private_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"absent/file cannot be written"):
        write_private(tmp_path / "absent" / "file", "text")


def test_a_second_start_is_told_who_has_the_folder(tmp_path: Path) -> None:
    told = pytest.raises(EmbeddedError, match=r"already runs in .* \(process \d+\)")
    with hold(tmp_path), told, hold(tmp_path):
        pass
    with hold(tmp_path):  # it was let go
        pass


def test_a_taken_port_is_named_with_its_variable_and_one_that_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            EmbeddedError, match=rf"PORT={port} on 127.0.0.1 is taken.*PORT=\d+ make"
        ):
            refuse_busy("127.0.0.1", port)
        assert port_near("127.0.0.1", port) != port
    assert port_near("127.0.0.1", port) == port


def test_a_host_that_is_none_is_named() -> None:
    with pytest.raises(EmbeddedError, match="HOST=no such host is not an address"):
        refuse_busy("no such host", 8000)


def test_terminal_default_is_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().line("up", "ready")
    assert capsys.readouterr().out == "up       | ready\n"
