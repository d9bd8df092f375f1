"""Plans that were settled of late, without reading all there ever were. Built while others write."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("flags", "0002_origin_of_plans")]
    operations = [
        # One that an interrupted build left is of no use.
        migrations.RunSQL(
            "DROP INDEX CONCURRENTLY IF EXISTS plan_settled", migrations.RunSQL.noop
        ),
        AddIndexConcurrently(
            model_name="plannedstage",
            index=models.Index(fields=["settled_at"], name="plan_settled"),
        ),
    ]
