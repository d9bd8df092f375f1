"""Runs that are gone and whose items are still to be removed."""

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("validation", "0011_run_by_end")]
    operations = [
        migrations.CreateModel(
            name="DroppedRun",
            fields=[
                ("run_id", models.BigIntegerField(primary_key=True, serialize=False)),
                (
                    "dropped_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
        ),
    ]
