"""Makes the audit trail append-only and chains its rows, those that there are already as well.

A row's hash covers its place, the hash of the row before it and all that it says
(`console.access.chain` computes the same again, without this SQL). The triggers refuse every role,
the owner too; what an owner or a superuser can still do by switching them off, the chain tells.
The function that chains runs as its owner: the application's role needs no more than INSERT.

`pg_restore` of a whole dump makes the triggers after the rows, so that these come back as they
were; one of the data alone needs `--disable-triggers`.
"""

from django.db import migrations, models

FUNCTIONS = """
CREATE FUNCTION access_audit_field(value text) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT coalesce(octet_length(convert_to(value, 'UTF8')) || ':' || value, '-') || ','
$$;

CREATE FUNCTION access_audit_hash(entry access_auditentry) RETURNS text
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

CREATE FUNCTION access_audit_chain() RETURNS trigger
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

CREATE FUNCTION access_audit_refuse() RETURNS trigger
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

CHAIN_WHAT_THERE_IS = """
LOCK TABLE access_auditentry IN SHARE ROW EXCLUSIVE MODE;
DO $$
DECLARE
    entry access_auditentry;
    place bigint := 0;
    last text := repeat('0', 64);
BEGIN
    FOR entry IN SELECT * FROM access_auditentry ORDER BY id LOOP
        place := place + 1;
        entry.position := place;
        entry.previous_hash := last;
        last := access_audit_hash(entry);
        UPDATE access_auditentry
        SET position = place, previous_hash = entry.previous_hash, hash = last
        WHERE id = entry.id;
    END LOOP;
    INSERT INTO access_audithead (id, position, hash) VALUES (1, place, last);
END
$$;
SET CONSTRAINTS ALL IMMEDIATE;
"""

TRIGGERS = """
CREATE TRIGGER audit_chain BEFORE INSERT ON access_auditentry
    FOR EACH ROW EXECUTE FUNCTION access_audit_chain();
CREATE TRIGGER audit_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON access_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION access_audit_refuse();
CREATE TRIGGER audit_refuse BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON access_audithead
    FOR EACH STATEMENT EXECUTE FUNCTION access_audit_refuse();
"""

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
"""


class Migration(migrations.Migration):
    dependencies = [("access", "0004_audit_columns")]
    operations = [
        migrations.RunSQL(FUNCTIONS, BACK),
        migrations.RunSQL(CHAIN_WHAT_THERE_IS, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="auditentry",
            constraint=models.UniqueConstraint(fields=("position",), name="audit_position"),
        ),
        migrations.RunSQL(TRIGGERS, migrations.RunSQL.noop),
        migrations.RunSQL(RIGHTS, migrations.RunSQL.noop),
    ]
