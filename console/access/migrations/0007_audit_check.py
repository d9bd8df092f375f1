"""A row of checks from the beginning: from then on a missing one was removed by somebody."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("access", "0006_audit_of_revision")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '1s'", migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="auditcheck",
            name="checked_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.RunSQL(
            """
            INSERT INTO access_auditcheck
                (id, checked_at, position, hash, swept_to, fault, fault_position, said)
            VALUES (1, NULL, 0, '', 0, '', NULL, '') ON CONFLICT (id) DO NOTHING
            """,
            "DELETE FROM access_auditcheck WHERE checked_at IS NULL",
        ),
    ]
