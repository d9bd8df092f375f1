"""Plans keep by which way they were made: who made one is looked up when a step falls due."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("flags", "0001_flags")]

    operations = [
        migrations.AddField(
            "plannedstage", name, models.CharField(max_length=length, blank=True, db_default="")
        )
        for name, length in (("origin", 8), ("token", 80), ("source", 160), ("trace_id", 32))
    ]
