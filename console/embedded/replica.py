"""A streaming replica of the embedded Postgres: copied from it, and copied anew where it must be.

Nothing in its folder is worth keeping that the primary has not: whatever cannot follow any more is
thrown away.
"""

import contextlib
import shutil
import subprocess

import psycopg

from console.embedded.binaries import postgres_binary
from console.embedded.errors import EmbeddedError
from console.embedded.places import Places
from console.embedded.postgres import DURABLE, NAME, Postgres

# As the sources weigh their two; a third is as the second.
WEIGHTS = (60, 40)
_SLOTS = "switchyard_replica_"
_COPY_S = 600
_ASK_S = 5
_STANDBY = {
    # Long reads hold up vacuum on the primary, rather than be cancelled by it.
    "hot_standby_feedback": "on",
    # Whatever else a read stands in the way of waits so long: it would be lag.
    "max_standby_streaming_delay": "5s",
    "shared_buffers": "64MB",
    "wal_retrieve_retry_interval": "500ms",
}
_SLOT = "SELECT wal_status FROM pg_replication_slots WHERE slot_name = %s"
_FORGET = """
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
WHERE slot_name LIKE %s AND NOT active AND NOT slot_name = ANY (%s)
"""


class Replica(Postgres):
    """The `number`th of `primary`, which must serve before this is prepared."""

    def __init__(
        self, places: Places, primary: Postgres, number: int, *, settings: dict[str, str] = DURABLE
    ) -> None:
        self._primary = primary
        self.label = f"replica_{number}"
        self.slot = f"{_SLOTS}{number}"
        self.weight = WEIGHTS[min(number, len(WEIGHTS)) - 1]
        following = _STANDBY | {
            "primary_conninfo": f"{self._source} application_name={self.label}",
            "primary_slot_name": self.slot,
        }
        super().__init__(places, settings=settings | following, name=f"replica{number}")

    @property
    def weighted_url(self) -> str:
        """As DATABASE_REPLICA_URLS takes it."""
        return f"{self.url};weight={self.weight}"

    def create(self) -> None:
        self.sweep()
        if (self.home / "PG_VERSION").exists() and self._can_follow():
            return
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.rmtree(self._unfinished, ignore_errors=True)
        self._reserve()
        self._copy()

    def answers(self) -> bool:
        try:
            with psycopg.connect(self.url, connect_timeout=_ASK_S, autocommit=True) as db:
                db.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    @property
    def _source(self) -> str:
        return f"host={self._primary.sockets} port=5432 user={NAME}"

    def _can_follow(self) -> bool:
        """Whether the primary still has what this one lacks, and is the one that it was copied
        from. A primary that is away is no reason to throw the copy away.
        """
        if not (self.home / "standby.signal").exists():
            return False  # it was promoted
        try:
            with psycopg.connect(self._primary.url, connect_timeout=_ASK_S) as db:
                slot = db.execute(_SLOT, [self.slot]).fetchone()
                system = db.execute("SELECT system_identifier FROM pg_control_system()").fetchone()
        except psycopg.OperationalError:
            return True
        kept = slot is not None and slot[0] not in {None, "lost"}
        return kept and system is not None and str(system[0]) == self._copied_from()

    def _copied_from(self) -> str:
        command = [postgres_binary("pg_controldata"), str(self.home)]
        told = subprocess.run(
            self.launcher().command(command), capture_output=True, text=True, check=False,
            timeout=_ASK_S,
        )  # fmt: skip
        lines = (line.partition(":") for line in told.stdout.splitlines())
        return next((v.strip() for n, _, v in lines if n == "Database system identifier"), "")

    def _reserve(self) -> None:
        """From now on the primary keeps what the copy will lack."""
        try:
            with psycopg.connect(
                self._primary.url, connect_timeout=_ASK_S, autocommit=True
            ) as primary:
                if primary.execute(_SLOT, [self.slot]).fetchone() is not None:
                    primary.execute("SELECT pg_drop_replication_slot(%s)", [self.slot])
                primary.execute("SELECT pg_create_physical_replication_slot(%s, true)", [self.slot])
        except psycopg.Error as exc:
            raise EmbeddedError(f"{self.name} cannot be copied: the primary refuses it.") from exc

    def _copy(self) -> None:
        """Aside and then in place, so that a kill leaves none half made."""
        command = [
            *(postgres_binary("pg_basebackup"), "-D", str(self._unfinished), "-d", self._source),
            # -R: it starts as a standby. Whom it follows, and by which slot, each start says.
            *("-R", "-X", "stream", "-S", self.slot, "--checkpoint=fast", "--no-password"),
            *(["--no-sync"] if self._settings["fsync"] == "off" else []),
        ]
        made = subprocess.run(
            self.launcher().command(command), capture_output=True, text=True, check=False,
            timeout=_COPY_S,
        )  # fmt: skip
        if made.returncode != 0:
            shutil.rmtree(self._unfinished, ignore_errors=True)
            raise EmbeddedError(self.explain(made.stderr.splitlines()))
        self._unfinished.rename(self.home)


def forget_others(primary: Postgres, kept: tuple[Replica, ...]) -> None:
    """Drops the slots of replicas that are wanted no more: the primary would keep WAL for them.
    What it refuses now it is asked again at the next start.
    """
    wanted = [one.slot for one in kept]
    with (
        contextlib.suppress(psycopg.OperationalError),
        psycopg.connect(primary.url, connect_timeout=_ASK_S, autocommit=True) as db,
    ):
        db.execute(_FORGET, [f"{_SLOTS}%", wanted])
