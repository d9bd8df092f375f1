"""PgBouncer of the machine before the embedded Postgres: `make up PGBOUNCER=1`.

No wheel brings it, so it is the system's own. It listens on a private socket alone, as Postgres
does, and lends what `manage.py pgbouncer_ini` would write for this fleet.
"""

import os
import shutil
import signal
from pathlib import Path
from typing import ClassVar

import psycopg

from console.embedded.errors import EmbeddedError
from console.embedded.places import Places
from console.embedded.postgres import NAME, Postgres
from console.embedded.server import Server
from console.pgbouncer import Fleet, Mode, Place, Room, Unfit, fit, written
from console.pgbouncer import Server as Behind

_PORT = 6432  # the name of its socket; nothing listens there
_ASK_S = 5
# Postgres' own default, which the embedded one keeps.
_RESERVED = 3
# As `db.statement_timeout` has them without a pooler.
_OF_THE_ROLE = {"statement_timeout": "30s", "idle_in_transaction_session_timeout": "30s"}
_FOLDERS = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/opt/homebrew/bin"


class PgBouncer(Server):
    """Before `postgres`, whose users it believes: whoever reaches the socket is one of ours."""

    stop_signal: ClassVar = signal.SIGTERM  # at once: nobody is waited for

    def __init__(self, places: Places, postgres: Postgres, fleet: Fleet, granted: int) -> None:
        super().__init__("pgbouncer", places)
        self._postgres = postgres
        self._fleet = fleet
        self._granted = granted
        self._binary = _installed()

    @property
    def socket(self) -> Path:
        return self.sockets / f".s.PGSQL.{_PORT}"

    @property
    def url(self) -> str:
        return self._url_of(NAME)

    @property
    def environment(self) -> dict[str, str]:
        """What processes are told in place of Postgres' own address: migrations go around it."""
        return {
            "DATABASE_URL": self.url,
            "DATABASE_OWNER_URL": self._postgres.url,
            "PGBOUNCER_ADMIN_URL": self._url_of("pgbouncer"),
        }

    def probe(self) -> list[str]:
        return [self._binary, "--version"]

    def command(self) -> list[str]:
        return [self._binary, str(self._ini)]

    def create(self) -> None:
        """Written anew at each start: the fleet may be another."""
        self._limit_statements()
        users = self.data / "users"
        users.write_text(f'"{NAME}" ""\n', encoding="utf-8")
        self._ini.write_text(self._written(users), encoding="utf-8")
        for path in (users, self._ini):
            shutil.chown(path, self.data.stat().st_uid, self.data.stat().st_gid)

    def answers(self) -> bool:
        try:
            with psycopg.connect(
                self._url_of("pgbouncer"), connect_timeout=_ASK_S, autocommit=True
            ) as admin:
                admin.execute(b"SHOW VERSION")
        except psycopg.OperationalError:
            return False
        return True

    def _limit_statements(self) -> None:
        """A session behind it is nobody's to set: what holds there is the role's."""
        try:
            with psycopg.connect(
                self._postgres.url, connect_timeout=_ASK_S, autocommit=True
            ) as owner:
                for name, value in _OF_THE_ROLE.items():
                    owner.execute(f"ALTER ROLE {NAME} SET {name} = '{value}'".encode())
        except psycopg.Error as exc:
            raise EmbeddedError(
                f"PGBOUNCER=1: Postgres refuses the role's timeouts: {type(exc).__name__}."
            ) from exc

    @property
    def _ini(self) -> Path:
        return self.data / "pgbouncer.ini"

    def _url_of(self, database: str) -> str:
        return f"postgresql://{NAME}@/{database}?host={self.sockets}&port={_PORT}"

    def _written(self, users: Path) -> str:
        room = Room(max_connections=self._granted, reserved=_RESERVED)
        behind = Behind(host=str(self._postgres.sockets), port=5432, database=NAME, room=room)
        try:
            sizes = fit(self._fleet, room, Mode.TRANSACTION)
        except Unfit as exc:
            raise EmbeddedError(f"PGBOUNCER=1: {exc}") from exc
        place = Place(listen="", port=_PORT, auth_file=str(users), user=NAME)
        own = (
            f"unix_socket_dir = {self.sockets}",
            "unix_socket_mode = 0700",
            "auth_type = trust",
            # `manage.py fault pgbouncer-mismatch` changes its sizes for a while.
            f"admin_users = {NAME}",
        )
        # What is said last holds.
        return written(behind, self._fleet, sizes, place) + "\n".join(own) + "\n"


def _installed() -> str:
    found = shutil.which("pgbouncer", path=_FOLDERS)
    if found is None:
        raise EmbeddedError(
            "PGBOUNCER=1 puts PgBouncer between, and it is not installed: "
            "`apt-get install pgbouncer` (macOS: `brew install pgbouncer`), or leave it away."
        )
    return found
