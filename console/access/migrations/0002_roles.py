"""Creates the groups that carry the roles."""

from django.db import migrations

NAMES = ("viewer", "operator", "admin")


def create_groups(apps, schema_editor):
    group = apps.get_model("auth", "Group")
    for name in NAMES:
        group.objects.get_or_create(name=name)


class Migration(migrations.Migration):
    dependencies = [("access", "0001_initial"), ("auth", "0012_alter_user_first_name_max_length")]
    # Going back leaves the groups: users may be in them.
    operations = [migrations.RunPython(create_groups, migrations.RunPython.noop)]
