"""When somebody last looked at all that can fire and wrote down what was found: whoever begins and
fails each time has not looked.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("monitoring", "0005_alerts"),
    ]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE monitoring_alertturn ADD COLUMN looked_at timestamptz",
            "ALTER TABLE monitoring_alertturn DROP COLUMN looked_at",
        ),
    ]
