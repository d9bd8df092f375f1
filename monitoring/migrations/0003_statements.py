"""Makes pg_stat_statements where the role may: which statements take the time is read from it.

Where it may not, or the server does not have it, everything else works and the page says so.
"""

from django.db import migrations

MAKE = """
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
    RAISE NOTICE 'pg_stat_statements is not made: %', SQLERRM;
END
$$
"""


class Migration(migrations.Migration):

    dependencies = [
        ('monitoring', '0002_silent_and_compacted'),
    ]

    operations = [
        migrations.RunSQL(MAKE, migrations.RunSQL.noop),
    ]
