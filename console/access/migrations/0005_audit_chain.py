"""Makes the audit trail append-only and chains its rows, those that there are already as well.

A row's hash covers its place, the hash of the row before it and all that it says
(`console.access.chain` computes the same again, without this SQL). The triggers refuse every role,
the owner too; what an owner or a superuser can still do by switching them off, the chain tells.
The function that chains runs as its owner: the application's role needs no more than INSERT.

`pg_restore` of a whole dump makes the triggers after the rows, so that these come back as they
were; one of the data alone needs `--disable-triggers`.

While it runs the release before goes on writing: old rows are chained in batches, each committed
for itself; writers wait only for the last few and the triggers, a second at most before it lets
them pass and tries again. What it was stopped in the middle of, it goes on with.
"""

import time
from typing import Any

from django.db import OperationalError, migrations, models, transaction

FUNCTIONS = """
CREATE OR REPLACE FUNCTION access_audit_field(value text) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT coalesce(octet_length(convert_to(value, 'UTF8')) || ':' || value, '-') || ','
$$;

CREATE OR REPLACE FUNCTION access_audit_hash(entry access_auditentry) RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT encode(sha256(convert_to(
        'switchyard-audit-1,'
        || access_audit_field(entry.position::text)
        || access_audit_field(entry.previous_hash)
        || access_audit_field(entry.id::text)
        || access_audit_field((extract(epoch FROM entry.at) * 1000000)::bigint::text)
        || access_audit_field(entry.actor)
        || access_audit_field(entry.role)
        || access_audit_field(entry.origin)
        || access_audit_field(entry.token)
        || access_audit_field(entry.source)
        || access_audit_field(entry.trace_id)
        || access_audit_field(entry.action)
        || access_audit_field(entry.kind)
        || access_audit_field(entry.target)
        || access_audit_field(entry.before::text)
        || access_audit_field(entry.after::text)
        || access_audit_field(entry.reason)
        || access_audit_field(entry.revision::text)
        || access_audit_field(entry.reverts_id::text),
        'UTF8')), 'hex')
$$;

CREATE OR REPLACE FUNCTION access_audit_chain() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    head access_audithead;
BEGIN
    -- Held until the commit: rows become visible in the order of their positions.
    SELECT * INTO head FROM access_audithead WHERE id = 1 FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO access_audithead (id, position, hash)
        SELECT 1, coalesce(max(position), 0),
               coalesce((SELECT e.hash FROM access_auditentry e ORDER BY position DESC LIMIT 1),
                        repeat('0', 64))
        FROM access_auditentry
        ON CONFLICT (id) DO NOTHING;
        SELECT * INTO head FROM access_audithead WHERE id = 1 FOR UPDATE;
    END IF;
    NEW.at := clock_timestamp();
    NEW.position := head.position + 1;
    NEW.previous_hash := head.hash;
    NEW.hash := access_audit_hash(NEW);
    UPDATE access_audithead SET position = NEW.position, hash = NEW.hash WHERE id = 1;
    RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION access_audit_refuse() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
BEGIN
    -- Deeper than one: the function above, which chains a row.
    IF TG_TABLE_NAME = 'access_audithead' AND TG_OP IN ('INSERT', 'UPDATE')
        AND pg_trigger_depth() > 1 THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'The audit trail only grows: % of % is refused.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;
"""

# In order of their numbers; a row whose transaction was longer than others' comes after them.
# Answers the last number, null where there was nothing left.
CHAIN_SOME = """
CREATE OR REPLACE FUNCTION access_audit_chain_some(from_id bigint, most int) RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
DECLARE
    entry access_auditentry;
    place bigint;
    last text;
    reached bigint;
BEGIN
    INSERT INTO access_audithead (id, position, hash) VALUES (1, 0, repeat('0', 64))
    ON CONFLICT (id) DO NOTHING;
    SELECT head.position, head.hash INTO place, last FROM access_audithead head WHERE id = 1
    FOR UPDATE;
    FOR entry IN SELECT * FROM access_auditentry
        WHERE position = 0 AND id > from_id ORDER BY id LIMIT most
    LOOP
        place := place + 1;
        entry.position := place;
        entry.previous_hash := last;
        last := access_audit_hash(entry);
        reached := entry.id;
        UPDATE access_auditentry
        SET position = place, previous_hash = entry.previous_hash, hash = last
        WHERE id = entry.id;
    END LOOP;
    UPDATE access_audithead SET position = place, hash = last WHERE id = 1;
    RETURN reached;
END
$$;
"""

TRIGGERS = """
CREATE TRIGGER audit_chain BEFORE INSERT ON access_auditentry
    FOR EACH ROW EXECUTE FUNCTION access_audit_chain();
CREATE TRIGGER audit_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON access_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION access_audit_refuse();
CREATE TRIGGER audit_refuse BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON access_audithead
    FOR EACH STATEMENT EXECUTE FUNCTION access_audit_refuse();
"""
_HAS_TRIGGERS = """
SELECT count(*) FROM pg_trigger
WHERE tgname = 'audit_chain' AND tgrelid = 'access_auditentry'::regclass
"""
_IS_UNIQUE = """
SELECT count(*) FROM pg_constraint
WHERE conname = 'audit_position' AND conrelid = 'access_auditentry'::regclass
"""
_BATCH = 1_000
_LOCK_MS = 1_000
_TRIES = 100
_BETWEEN_S = 0.2


def chain_what_there_is(_apps: Any, schema_editor: Any) -> None:
    """All rows that there are, then those that are added, by triggers, without a gap between."""
    with schema_editor.connection.cursor() as cursor:
        if _first(cursor, _HAS_TRIGGERS):
            return
        cursor.execute(CHAIN_SOME)
        _chain_by_batches(cursor)
        _briefly_locked(cursor, _chain_the_last)
        cursor.execute("DROP FUNCTION access_audit_chain_some(bigint, int)")


def make_unique(_apps: Any, schema_editor: Any) -> None:
    """The index is built while others write; it becomes the constraint in a moment."""
    with schema_editor.connection.cursor() as cursor:
        if _first(cursor, _IS_UNIQUE):
            return
        # One that an interrupted build left is of no use.
        cursor.execute("DROP INDEX CONCURRENTLY IF EXISTS audit_position")
        cursor.execute(
            "CREATE UNIQUE INDEX CONCURRENTLY audit_position ON access_auditentry (position)"
        )
        _briefly_locked(
            cursor,
            lambda cursor: cursor.execute(
                "ALTER TABLE access_auditentry "
                "ADD CONSTRAINT audit_position UNIQUE USING INDEX audit_position"
            ),
        )


def drop_unique(_apps: Any, schema_editor: Any) -> None:
    schema_editor.execute("ALTER TABLE access_auditentry DROP CONSTRAINT audit_position")


def _chain_by_batches(cursor: Any) -> None:
    reached = 0
    while reached is not None:
        reached = _first(cursor, "SELECT access_audit_chain_some(%s, %s)", reached, _BATCH)


def _chain_the_last(cursor: Any) -> None:
    """Those that came since, also with lower numbers."""
    cursor.execute("LOCK TABLE access_auditentry IN SHARE ROW EXCLUSIVE MODE")
    _chain_by_batches(cursor)
    cursor.execute(TRIGGERS)


def _briefly_locked(cursor: Any, change: Any) -> None:
    """Whoever writes queues behind a lock that is waited for: so it is waited for a moment."""
    for left in reversed(range(_TRIES)):
        try:
            with transaction.atomic(using=cursor.db.alias):
                cursor.execute(f"SET LOCAL lock_timeout = {_LOCK_MS}")
                change(cursor)
        except OperationalError:
            if not left:
                raise
            time.sleep(_BETWEEN_S)
        else:
            return


def _first(cursor: Any, query: str, *values: int) -> Any:
    cursor.execute(query, values)
    return cursor.fetchone()[0]


# deploy/postgres-roles.sh gives the application's role the rights on rows of every new table.
RIGHTS = """
DO $$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT DISTINCT held.grantee::regrole::text AS name
        FROM pg_class, aclexplode(relacl) AS held
        WHERE oid IN ('access_auditentry'::regclass, 'access_audithead'::regclass)
            AND held.grantee <> relowner AND held.grantee <> 0
    LOOP
        EXECUTE format(
            'REVOKE UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON access_auditentry FROM %1$s; '
            'REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER '
            'ON access_audithead FROM %1$s', given.name);
    END LOOP;
END
$$;
"""

BACK = """
DROP TRIGGER audit_chain ON access_auditentry;
DROP TRIGGER audit_refuse ON access_auditentry;
DROP TRIGGER audit_refuse ON access_audithead;
DROP FUNCTION access_audit_refuse();
DROP FUNCTION access_audit_chain();
DROP FUNCTION access_audit_hash(access_auditentry);
DROP FUNCTION access_audit_field(text);
DELETE FROM access_audithead;
UPDATE access_auditentry SET position = 0, previous_hash = '', hash = '';
"""


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("access", "0004_audit_columns")]
    operations = [
        migrations.RunSQL(FUNCTIONS, BACK),
        migrations.RunPython(chain_what_there_is, migrations.RunPython.noop),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(make_unique, drop_unique)],
            state_operations=[
                migrations.AddConstraint(
                    model_name="auditentry",
                    constraint=models.UniqueConstraint(
                        fields=("position",), name="audit_position"
                    ),
                )
            ],
        ),
        migrations.RunSQL(RIGHTS, migrations.RunSQL.noop),
    ]
