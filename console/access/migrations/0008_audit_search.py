"""Finds acts by words, kind, action and time without reading the whole trail; built while others
write. The words of who, of the target, and of all that is said: `console.access.trail` asks so.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

from validation.words import Words, WordsIndex

INDEXES = (
    WordsIndex(
        Words("actor"),
        Words("target"),
        Words("reason", "actor", "target", "token", "source", "trace_id"),
        name="audit_words",
    ),
    models.Index(fields=["kind", "-id"], name="audit_by_kind"),
    models.Index(fields=["action", "-id"], name="audit_by_action"),
    models.Index(fields=["at"], name="audit_by_time"),
)


def _steps(index: models.Index) -> list[migrations.operations.base.Operation]:
    """One that an interrupted build left is of no use."""
    drop = f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}"
    return [
        migrations.RunSQL(drop, migrations.RunSQL.noop),
        AddIndexConcurrently(model_name="auditentry", index=index),
    ]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("access", "0007_audit_check"), ("validation", "0010_search")]
    operations = [step for index in INDEXES for step in _steps(index)]
