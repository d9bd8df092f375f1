"""Runs by their end: those of the last hour, and those whose time is over. Built while others write."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("validation", "0010_search")]
    operations = [
        # One that an interrupted build left is of no use.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS run_by_end", migrations.RunSQL.noop),
        AddIndexConcurrently(
            model_name="run",
            index=models.Index(fields=["finished_at"], name="run_by_end"),
        ),
    ]
