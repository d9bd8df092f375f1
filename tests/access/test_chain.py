"""The audit trail only grows, and whoever gets around that is found."""

import hashlib
import importlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from console.access import chain
from console.access.audit import record
from console.access.chain import BEGINNING, Anchor
from console.access.models import AuditEntry, AuditHead
from tests.controls.conftest import actor

MIGRATION = importlib.import_module("console.access.migrations.0005_audit_chain")
TABLES = ("access_auditentry", "access_audithead")


def write(number: int = 1) -> None:
    for n in range(number):
        record(
            actor(name=f"ada {n}"),
            "tune",
            kind="breaker",
            target="node:é\x1f,5:",
            before={"b": 1.50, "a": [None, True, "x\u2028"], "longer": {"": 10**30}},
            after={},
            reason=f"reason {n}",
            revision=None if n % 2 else n,
        )


def run(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def tamper(*statements: str) -> None:
    """As a superuser who switches the triggers off for it."""
    run(
        "SET LOCAL session_replication_role = replica",
        *statements,
        "SET LOCAL session_replication_role = origin",
    )


def broken(*anchors: Anchor) -> tuple[str, int] | None:
    found = chain.verify(anchors).broken
    return (found.fault, found.position) if found else None


@pytest.fixture
def ten(db: None) -> list[AuditEntry]:
    write(10)
    # What a commit would do; tables with checks to come cannot be altered.
    run("SET CONSTRAINTS ALL IMMEDIATE")
    return list(AuditEntry.objects.order_by("position"))


def test_each_row_follows_the_one_before_it(ten: list[AuditEntry]) -> None:
    assert [entry.position for entry in ten] == list(range(1, 11))
    assert ten[0].previous_hash == "0" * 64
    assert [e.previous_hash for e in ten[1:]] == [e.hash for e in ten[:-1]]
    assert [e.at for e in ten] == sorted(e.at for e in ten)
    head = AuditHead.objects.get()
    assert (head.position, head.hash) == (10, ten[-1].hash)
    walked = chain.verify()
    assert (walked.broken, walked.rows) == (None, 10)
    assert walked.reached == Anchor(position=10, hash=ten[-1].hash) == chain.head()


def test_a_hash_is_what_the_documents_say(ten: list[AuditEntry]) -> None:
    """Of the first row, written out by hand: length, colon, value, comma; null is a dash."""
    first = ten[0]
    before = '{"a": [null, true, "x\u2028"], "b": 1.5, "longer": {"": ' + str(10**30) + "}}"
    micros = round(first.at.timestamp() * 1_000_000)
    said = [
        *("1", "0" * 64, str(first.pk), str(micros), "ada 0", "operator", "page", "", "", ""),
        *("tune", "breaker", "node:é\x1f,5:", before, "{}", "reason 0", "0", None),
    ]
    text = "".join("-," if v is None else f"{len(v.encode())}:{v}," for v in said)
    assert first.hash == hashlib.sha256(f"switchyard-audit-1,{text}".encode()).hexdigest()


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET hash = hash",
        "UPDATE {} SET hash = hash WHERE false",
        "DELETE FROM {}",
        "DELETE FROM {} WHERE false",
        "TRUNCATE {} CASCADE",
    ],
)
def test_nobody_changes_a_row(ten: list[AuditEntry], table: str, statement: str) -> None:
    """The tests' own role is a superuser and owns the tables."""
    with pytest.raises(DatabaseError, match="only grows"), transaction.atomic():
        run(statement.format(table))
    assert broken() is None


def test_nobody_writes_the_head_by_hand(ten: list[AuditEntry]) -> None:
    with pytest.raises(DatabaseError, match="only grows"), transaction.atomic():
        run("INSERT INTO access_audithead (id, position, hash) VALUES (2, 1, '')")
    with pytest.raises(DatabaseError, match="only grows"), transaction.atomic():
        ten[0].save()
    with pytest.raises(DatabaseError, match="only grows"), transaction.atomic():
        AuditEntry.objects.all().delete()


def test_the_place_time_and_hashes_are_not_the_clients_to_say(db: None) -> None:
    run(
        "INSERT INTO access_auditentry (at, actor, role, origin, token, action, kind, target,"
        " before, after, reason, position, previous_hash, hash) VALUES ('2001-01-01', 'eve', '',"
        " '', '', '', '', '', '{}', '{}', '', 77, 'x', 'y')"
    )
    [entry] = AuditEntry.objects.all()
    assert (entry.position, entry.previous_hash, entry.at.year) == (1, "0" * 64, entry.at.year)
    assert entry.at.year > 2001
    assert broken() is None


_FIND = "(SELECT {} FROM access_auditentry WHERE position = {})"
_COPY = (
    "INSERT INTO access_auditentry (at, actor, role, origin, token, action, kind, target, before,"
    " after, reason, position, previous_hash, hash) SELECT at, 'eve', role, origin, token, action,"
    " kind, target, before, after, reason, {}, previous_hash, hash FROM access_auditentry"
    " WHERE position = {}"
)
_UNIQUE = "ALTER TABLE access_auditentry DROP CONSTRAINT audit_position"
_CHAINED_ANEW = (
    _UNIQUE,
    "UPDATE access_auditentry SET position = 0, previous_hash = '', hash = ''",
    "DELETE FROM access_audithead",
    MIGRATION.CHAIN_SOME,
    "SELECT access_audit_chain_some(0, 1000)",
)


@pytest.mark.parametrize(
    ("statements", "fault", "position"),
    [
        (["UPDATE access_auditentry SET actor = 'eve' WHERE position = 4"], "edited", 4),
        (["UPDATE access_auditentry SET reason = reason || ' ' WHERE position = 10"], "edited", 10),
        (["UPDATE access_auditentry SET revision = NULL WHERE position = 1"], "edited", 1),
        (["UPDATE access_auditentry SET at = at + '1 us' WHERE position = 2"], "edited", 2),
        (
            ["UPDATE access_auditentry SET before = before || '{\"b\": 2}' WHERE position = 3"],
            "edited",
            3,
        ),
        (["DELETE FROM access_auditentry WHERE position IN (5, 6)"], "gap", 5),
        (["DELETE FROM access_auditentry WHERE position = 1"], "gap", 1),
        (["DELETE FROM access_auditentry WHERE position > 8"], "truncated", 9),
        (["DELETE FROM access_auditentry"], "truncated", 1),
        ([_UNIQUE, _COPY.format(4, 4)], "added", 4),
        ([_COPY.format(11, 10)], "added", 11),
        ([_COPY.format(0, 1)], "added", 0),
        (
            # The two rows change places.
            ["UPDATE access_auditentry SET position = -position WHERE position IN (3, 4)",
             "UPDATE access_auditentry SET position = 7 + position WHERE position < 0"],
            "edited",
            3,
        ),
        (
            # Edited with its own hash computed again.
            ["UPDATE access_auditentry SET actor = 'eve' WHERE position = 4",
             "UPDATE access_auditentry e SET hash = access_audit_hash(e) WHERE position = 4"],
            "relinked",
            5,
        ),
        (
            ["UPDATE access_auditentry SET actor = 'eve' WHERE position = 10",
             "UPDATE access_auditentry e SET hash = access_audit_hash(e) WHERE position = 10"],
            "rewritten",
            10,
        ),
        (["UPDATE access_audithead SET position = 8"], "added", 9),
        (["DELETE FROM access_audithead"], "added", 1),
    ],
)  # fmt: skip
def test_whoever_gets_around_the_triggers_is_found(
    ten: list[AuditEntry], statements: list[str], fault: str, position: int
) -> None:
    tamper(*statements)
    assert broken() == (fault, position)


def test_a_trail_chained_anew_is_found_by_an_anchor(ten: list[AuditEntry]) -> None:
    """Everything that is in the database agrees: only what was written elsewhere tells."""
    anchor = chain.head()
    early = chain.link(2)
    tamper(
        "UPDATE access_auditentry SET actor = 'eve' WHERE position = 4",
        *_CHAINED_ANEW,
    )
    assert broken() is None
    assert broken(early) is None
    assert broken(anchor, early) == ("rewritten", 10)


def test_a_trail_cut_off_with_its_head_is_found_by_an_anchor(ten: list[AuditEntry]) -> None:
    anchor = chain.head()
    tamper(
        "DELETE FROM access_auditentry WHERE position > 8",
        f"UPDATE access_audithead SET position = 8, hash = {_FIND.format('hash', 8)}",
    )
    assert broken() is None
    assert broken(anchor) == ("truncated", 10)
    write(3)
    assert broken(anchor) == ("rewritten", 10)


def test_an_act_is_still_possible_without_a_head_and_goes_on_where_the_trail_ends(
    ten: list[AuditEntry],
) -> None:
    tamper("DELETE FROM access_audithead")
    write()
    assert broken() is None
    assert chain.head().position == 11


def test_rows_of_the_release_before_are_chained_in_their_order(ten: list[AuditEntry]) -> None:
    tamper("DELETE FROM access_auditentry WHERE actor = 'ada 3'", *_CHAINED_ANEW)
    assert broken() is None
    assert list(AuditEntry.objects.order_by("position").values_list("id", flat=True)) == [
        entry.pk for entry in ten if entry.actor != "ada 3"
    ]
    write()
    assert (chain.head().position, broken()) == (10, None)


def test_the_applications_role_may_only_add_and_read(ten: list[AuditEntry]) -> None:
    """Its rights are those of deploy/postgres-roles.sh; the migration takes what is too much."""
    run(
        "CREATE ROLE audit_application",
        "GRANT USAGE ON SCHEMA public TO audit_application",
        *(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {t} TO audit_application" for t in TABLES),
        "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO audit_application",
        MIGRATION.RIGHTS,
        "SET LOCAL ROLE audit_application",
    )
    write()
    assert broken() is None
    refused = [
        f"{verb} {table}{rest}"
        for table in TABLES
        for verb, rest in (("UPDATE", " SET hash = ''"), ("DELETE FROM", ""), ("TRUNCATE", ""))
    ]
    more = (
        "INSERT INTO access_audithead (position, hash) VALUES (1, '')",
        "ALTER TABLE access_auditentry DISABLE TRIGGER ALL",
        "DROP FUNCTION access_audit_refuse() CASCADE",
        "SET session_replication_role = replica",
        # What the owner's function finds is not what a caller puts before it.
        "ALTER FUNCTION public.access_audit_chain() SECURITY INVOKER",
    )
    for statement in (*refused, *more):
        with pytest.raises(DatabaseError, match=r"denied|must be owner"), transaction.atomic():
            run(statement)
    run("CREATE TEMP TABLE access_audithead (id int, position bigint, hash text)")
    write()
    run("DROP TABLE pg_temp.access_audithead", "RESET ROLE")
    assert (chain.head().position, broken()) == (12, None)


@pytest.mark.django_db(transaction=True)
def test_acts_at_once_leave_no_gap() -> None:
    def act(number: int) -> None:
        try:
            with transaction.atomic():
                write()
                if number % 5 == 0:
                    transaction.set_rollback(True)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(act, range(40)))
    walked = chain.verify()
    assert (walked.rows, walked.broken) == (32, None)
    times = list(AuditEntry.objects.order_by("position").values_list("at", flat=True))
    assert times == sorted(times)


@pytest.mark.parametrize(
    "text", ["", "5", "5:", f"x:{'0' * 64}", f"-1:{'0' * 64}", f"5:{'0' * 63}", f"5:{'g' * 64}"]
)
def test_what_is_no_anchor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no anchor"):
        Anchor.parse(text)
    assert Anchor.parse(f" 5:{'A' * 64}\n") == Anchor(position=5, hash="a" * 64)


@pytest.mark.django_db
def test_an_empty_trail_is_whole() -> None:
    assert (chain.verify().broken, chain.verify().reached) == (None, BEGINNING)
    assert broken(BEGINNING) is None


def test_a_walk_reads_pages_and_may_begin_in_the_middle(
    ten: list[AuditEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain, "_PAGE", 3)
    assert chain.verify().rows == 10
    assert chain.walk(chain.link(4), 8).rows == 4
    tamper("UPDATE access_auditentry SET actor = 'eve' WHERE position = 7")
    assert broken() == ("edited", 7)
    assert chain.walk(chain.link(7), 10).broken is None
    found: Callable[..., Any] = chain.walk
    assert found(chain.link(4), 8).broken.entry == ten[6].pk
