"""Lets the owner of the audit trail drop its oldest rows, on record; nobody else, and nothing else.

`access_audit_forget` removes a stretch from the beginning, and adds the entry that names the last
row of it with its hash: both or neither. Only the owner may call it. The trigger lets a DELETE pass
inside of it alone; what an owner does by other ways, the chain still tells: the rows that are left
must begin where an entry says.
"""

from django.db import migrations

REFUSE = """
CREATE OR REPLACE FUNCTION access_audit_refuse() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
BEGIN
    -- Deeper than one: the function that chains a row.
    IF TG_TABLE_NAME = 'access_audithead' AND TG_OP IN ('INSERT', 'UPDATE')
        AND pg_trigger_depth() > 1 THEN
        RETURN NULL;
    END IF;
    {passes}RAISE EXCEPTION 'The audit trail only grows: % of % is refused.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;
"""
PASSES = """-- Said by access_audit_forget, for its transaction alone, and by an owner.
    IF TG_TABLE_NAME = 'access_auditentry' AND TG_OP = 'DELETE'
        AND current_setting('switchyard.audit_forget', true) = 'on'
        AND pg_has_role(
            current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'MEMBER')
    THEN
        RETURN NULL;
    END IF;
    """

FORGET = """
CREATE FUNCTION access_audit_forget(
    until timestamptz, most integer, who text, as_role text, by_way text, from_where text, why text)
RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
DECLARE
    first bigint;
    last bigint;
    kept bigint;
    gone access_auditentry;
BEGIN
    -- Acts wait meanwhile, as they wait for each other.
    PERFORM 1 FROM access_audithead WHERE id = 1 FOR UPDATE;
    SELECT min(position) INTO first FROM access_auditentry;
    SELECT coalesce(min(position), (SELECT position + 1 FROM access_audithead WHERE id = 1)) - 1
    INTO last FROM access_auditentry WHERE at >= until;
    last := least(last, first + most - 1);
    LOOP
        -- What a later act takes back is kept with it.
        SELECT min(taken.position) INTO kept
        FROM access_auditentry taken JOIN access_auditentry back ON back.reverts_id = taken.id
        WHERE taken.position <= last AND back.position > last;
        EXIT WHEN kept IS NULL;
        last := kept - 1;
    END LOOP;
    IF last IS NULL OR last < first THEN
        RETURN 0;
    END IF;
    SELECT * INTO gone FROM access_auditentry WHERE position = last;
    INSERT INTO access_auditentry
        (actor, role, origin, token, source, action, kind, target, before, after, reason)
    VALUES (who, as_role, by_way, '', from_where, 'drop', 'retention', 'audit', '{}',
        jsonb_build_object('position', last, 'hash', gone.hash, 'acts', last - first + 1,
                           'until', gone.at),
        format('%s acts, rows %s to %s, by %s, from before %s', last - first + 1, first, last, why,
               to_char(until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')));
    PERFORM set_config('switchyard.audit_forget', 'on', true);
    DELETE FROM access_auditentry WHERE position <= last;
    PERFORM set_config('switchyard.audit_forget', 'off', true);
    RETURN last - first + 1;
END
$$;
REVOKE EXECUTE ON FUNCTION
    access_audit_forget(timestamptz, integer, text, text, text, text, text) FROM PUBLIC;
"""
UNDO = """
DROP FUNCTION access_audit_forget(timestamptz, integer, text, text, text, text, text);
"""


class Migration(migrations.Migration):
    dependencies = [("access", "0008_audit_search")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '1s'", migrations.RunSQL.noop),
        migrations.RunSQL(REFUSE.replace("{passes}", PASSES), REFUSE.replace("{passes}", "")),
        migrations.RunSQL(FORGET, UNDO),
    ]
