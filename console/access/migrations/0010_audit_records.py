"""Refuses a record of acts that were dropped from everybody but what drops them.

The application's role may add entries. One that says that acts were dropped moves the place where
the chain begins: made up, it would call every row before it strange, for ever.
"""

from django.db import migrations

FORGET = """
DO $do$
DECLARE
    body text := pg_get_functiondef(
        'access_audit_forget(timestamptz, integer, text, text, text, text, text)'::regprocedure);
BEGIN
    {change}
    EXECUTE body;
END
$do$;
"""
# Said before the record is written, too.
EARLIER = """body := replace(body,
        '    INSERT INTO access_auditentry',
        E'    PERFORM set_config(''switchyard.audit_forget'', ''on'', true);\\n'
        || '    INSERT INTO access_auditentry');"""
LATER = """body := replace(body,
        E'    PERFORM set_config(''switchyard.audit_forget'', ''on'', true);\\n'
        || '    INSERT INTO access_auditentry',
        '    INSERT INTO access_auditentry');"""

REFUSE = """
CREATE FUNCTION access_audit_refuse_record() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
BEGIN
    IF current_setting('switchyard.audit_forget', true) = 'on'
        AND pg_has_role(
            current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'MEMBER')
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'Acts are dropped by access_audit_forget alone: this record of it is refused.'
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER access_audit_records BEFORE INSERT ON access_auditentry FOR EACH ROW
WHEN (NEW.kind = 'retention' AND NEW.target = 'audit' AND NEW.action = 'drop')
EXECUTE FUNCTION access_audit_refuse_record();
"""
ALLOW = """
DROP TRIGGER access_audit_records ON access_auditentry;
DROP FUNCTION access_audit_refuse_record();
"""


class Migration(migrations.Migration):
    dependencies = [("access", "0009_audit_forget")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '1s'", migrations.RunSQL.noop),
        migrations.RunSQL(FORGET.format(change=EARLIER), FORGET.format(change=LATER)),
        migrations.RunSQL(REFUSE, ALLOW),
    ]
