from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("validation", "0006_evidence_by_age"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="catch",
            index=models.Index(fields=["run", "ordinal"], name="catch_of_item"),
        ),
    ]
