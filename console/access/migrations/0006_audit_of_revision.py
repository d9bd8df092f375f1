"""Finds the act that made a revision without reading the whole trail; built while others write."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("access", "0005_audit_chain")]
    operations = [
        # One that an interrupted build left is of no use.
        migrations.RunSQL(
            "DROP INDEX CONCURRENTLY IF EXISTS audit_of_revision", migrations.RunSQL.noop
        ),
        AddIndexConcurrently(
            model_name="auditentry",
            index=models.Index(fields=["revision"], name="audit_of_revision"),
        ),
    ]
