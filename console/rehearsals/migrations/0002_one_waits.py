from django.db import migrations, models

# Of those that two operators asked for at once the first is kept.
_END_THE_OTHERS = """
    UPDATE rehearsals_rehearsal AS other
    SET state = 'interrupted', ended_at = now(), why = 'Another drill of it waited already.'
    FROM rehearsals_rehearsal AS first
    WHERE other.state = 'queued' AND first.state = 'queued' AND first.id < other.id
        AND (first.flag, first.target) = (other.flag, other.target)
"""


class Migration(migrations.Migration):

    dependencies = [
        ('rehearsals', '0001_initial'),
    ]

    operations = [
        migrations.RunSQL(_END_THE_OTHERS, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name='rehearsal',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'queued')), fields=('flag', 'target'), name='rehearsal_one_waits'),
        ),
    ]
