"""The trail of the release before is chained while that release goes on writing."""

import importlib
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Self

import psycopg
import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from console.access import chain
from console.access.models import AuditEntry
from tests.access.test_chain import write

MIGRATION = importlib.import_module("console.access.migrations.0005_audit_chain")
OLD_ROWS = 5_000
INSERT = (
    "INSERT INTO access_auditentry (at, actor, role, origin, token, action, kind, target, before,"
    " after, reason, revision) SELECT now(), '{}', 'admin', 'page', '', 'tune', 'breaker', 'l2',"
    " '{{\"a\": 1}}', '{{}}', 'Slow since noon', n FROM generate_series(1, {}) AS n"
)


def migrate(name: str = "") -> None:
    """To the newest unless told."""
    executor = MigrationExecutor(connection)
    newest = executor.loader.graph.leaf_nodes("access")
    executor.migrate([("access", name)] if name else newest)


@pytest.fixture
def before(transactional_db: None) -> Iterator[None]:
    """A database as the release before left it: rows, and no chain."""
    migrate("0004_audit_columns")
    try:
        with connection.cursor() as cursor:
            cursor.execute(INSERT.format("ada", OLD_ROWS))
        yield
    finally:
        migrate()


@contextmanager
def connected() -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    told = {
        name: value
        for name, value in connection.get_connection_params().items()
        if name in {"dbname", "user", "password", "host", "port"}
    }
    with psycopg.connect(**told, autocommit=True) as link:
        yield link


class Writer:
    """An operator of the release before, acting all the time."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join(20)

    def _run(self) -> None:
        with connected() as link:
            while not self._ends.wait(0.01):
                began = time.monotonic()
                link.execute(INSERT.format("bea", 1))
                self.waits.append(time.monotonic() - began)


def test_acts_go_on_while_old_rows_are_chained(before: None) -> None:
    # One lock over all of it would be a wait of most of the time, in each migration; a machine that
    # stalls makes an act wait in one: the best of three counts.
    rows, (longest_s, took_s) = chained(OLD_ROWS)
    waits = [(longest_s, took_s)]
    while waits[-1][0] >= min(2.0, waits[-1][1] / 2) and len(waits) < 3:
        migrate("0004_audit_columns")
        rows, waited = chained(rows)
        waits.append(waited)
    assert any(longest_s < min(2.0, took_s / 2) for longest_s, took_s in waits), waits
    write()
    assert chain.verify().broken is None


def chained(rows: int) -> tuple[int, tuple[float, float]]:
    """Migrates `rows` while somebody acts: how many there are then, how long an act waited at most
    and how long it all took, in seconds.
    """
    # Also past one whose transaction stays open: its row comes last, though its number is lower.
    tries: list[object] = []
    chain_the_last = MIGRATION._chain_the_last
    with ExitStack() as held:
        patched = held.enter_context(pytest.MonkeyPatch.context())
        patched.setattr(MIGRATION, "_LOCK_MS", 100)
        late = held.enter_context(connected())
        late.autocommit = False
        late.execute(INSERT.format("late", 1))

        def counted(cursor: object) -> None:
            tries.append(cursor)
            if len(tries) == 2:
                late.commit()
            chain_the_last(cursor)

        patched.setattr(MIGRATION, "_chain_the_last", counted)
        with Writer() as writer:
            began = time.monotonic()
            migrate("0005_audit_chain")
            took = time.monotonic() - began
            seen = len(writer.waits)
    assert len(tries) >= 2  # the first is refused its lock; a busy machine makes it more
    assert seen >= 5, "one lock over all of it would have been a single wait"
    walked = chain.verify()
    assert (walked.broken, walked.rows) == (None, rows + 1 + len(writer.waits))
    places = AuditEntry.objects.filter(actor="late").order_by("-pk")
    assert places.values_list("position", flat=True)[0] > rows
    return walked.rows, (max(writer.waits), took)


def test_a_migration_that_was_stopped_goes_on_where_it_was(
    before: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(MIGRATION, "_chain_the_last", stopped)
        with pytest.raises(KeyboardInterrupt):
            migrate("0005_audit_chain")
    first = AuditEntry.objects.defer("revision").order_by("position").first()
    assert first is not None
    assert first.position == 1
    with connection.cursor() as cursor:
        cursor.execute(INSERT.format("bea", 1))
    migrate("0005_audit_chain")
    assert chain.verify().rows == OLD_ROWS + 1
    again = AuditEntry.objects.get(position=1)
    assert again.hash == first.hash
