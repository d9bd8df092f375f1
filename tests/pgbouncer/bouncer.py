"""Debian's PgBouncer before a test's Postgres, with what `manage.py pgbouncer_ini` writes."""

import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from console import pgbouncer
from console.embedded.cluster import Cluster
from console.embedded.postgres import NAME
from console.pgbouncer import Fleet, Mode, Place
from tests.fleet import free_port, wait_until
from tests.services import FOLDER

PASSWORD = "lent and given back"
FLEET = Fleet(workers=2, web=1, pool=8)
_READY_S = 20


@dataclass(kw_only=True)
class Bouncer:
    """`pool`: connections to Postgres, fewer than the fleet opens, so that they are shared."""

    binary: str
    cluster: Cluster
    mode: Mode
    pool: int
    database: str = NAME
    waits_s: int = 5
    """A client, for a connection, until PgBouncer turns it away."""
    port: int = field(default_factory=free_port)
    folder: Path = field(init=False)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self._url_of(self.database)

    @property
    def admin_url(self) -> str:
        return self._url_of("pgbouncer")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(dir=FOLDER))
        self.folder.chmod(0o755)  # it runs as Postgres does: the socket is for nobody else
        self._users.write_text(f'"{NAME}" "{PASSWORD}"\n')
        self._start(self._written())
        return self

    def restart_with(self, ini: str) -> None:
        self._stop()
        self._start(ini)

    def _start(self, ini: str) -> None:
        self._ini.write_text(ini)
        command = self.cluster.postgres.launcher().command([self.binary, str(self._ini)])
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_until(self._answers, within_s=_READY_S, what=f"PgBouncer answers: {self.log}")
        except BaseException:
            self._stop()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._process is not None:
            self._process.terminate()  # at once: nobody is waited for
            self._process.wait(timeout=10)

    def become(self, mode: Mode, *, pool: int) -> None:
        """Changes its configuration under its clients, as an operator's reload does."""
        assert self._process is not None
        self.mode, self.pool = mode, pool
        self._ini.write_text(self._written())
        self._process.send_signal(signal.SIGHUP)
        wait_until(
            lambda: {str(row["pool_mode"]) for row in self.show("POOLS")} == {str(mode)},
            within_s=_READY_S,
            what=f"PgBouncer pools by {mode}",
        )

    def show(self, what: str) -> list[dict[str, Any]]:
        """Rows of SHOW, those of PgBouncer's own database left out."""
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            cursor = admin.execute(f"SHOW {what}".encode())
            names = [column.name for column in cursor.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in cursor]
        return [row for row in rows if row.get("database") != "pgbouncer"]

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url, autocommit=True, prepare_threshold=None)

    @contextmanager
    def sessions(self) -> Iterator[list[psycopg.Connection[Any]]]:
        """Every connection to Postgres at once, each held by a transaction."""
        held = [self.connect() for _ in range(self.pool)]
        try:
            for link in held:
                link.execute("BEGIN")
            pids = {link.execute("SELECT pg_backend_pid()").fetchone() for link in held}
            assert len(pids) == self.pool
            yield held
        finally:
            for link in held:
                link.close()

    @property
    def _ini(self) -> Path:
        return self.folder / "pgbouncer.ini"

    @property
    def _users(self) -> Path:
        return self.folder / "users"

    def _written(self) -> str:
        with psycopg.connect(self.cluster.postgres.url_of(self.database)) as direct:
            server = pgbouncer.look(direct)
        sizes = replace(pgbouncer.fit(FLEET, server.room, self.mode), pool=self.pool)
        place = Place(listen="127.0.0.1", port=self.port, auth_file=str(self._users), user=NAME)
        text = pgbouncer.written(server, FLEET, sizes, place)
        return f"{text}query_wait_timeout = {self.waits_s}\n"

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _url_of(self, database: str) -> str:
        password = PASSWORD.replace(" ", "%20")
        return f"postgresql://{NAME}:{password}@127.0.0.1:{self.port}/{database}"
