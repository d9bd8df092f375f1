"""Room for the chain of the audit trail, for where an act came from, and for scopes of tokens.

Every column has a default in the database: the release before goes on writing rows.
"""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('access', '0003_audit_entry'),
    ]

    operations = [
        # Rather stopped, to be tried again, than all who write queued behind a long reader.
        migrations.RunSQL("SET LOCAL lock_timeout = '1s'", migrations.RunSQL.noop),
        migrations.CreateModel(
            name='AuditCheck',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('checked_at', models.DateTimeField()),
                ('position', models.BigIntegerField(default=0)),
                ('hash', models.CharField(blank=True, max_length=64)),
                ('swept_to', models.BigIntegerField(default=0)),
                ('fault', models.CharField(blank=True, max_length=20)),
                ('fault_position', models.BigIntegerField(blank=True, null=True)),
                ('said', models.CharField(blank=True, max_length=300)),
            ],
        ),
        migrations.CreateModel(
            name='AuditHead',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.BigIntegerField()),
                ('hash', models.CharField(max_length=64)),
            ],
        ),
        migrations.AddField(
            model_name='apitoken',
            name='scopes',
            field=models.CharField(db_default='read runs control flags ofrep admin', max_length=80),
        ),
        # A token keeps what it could do until now, and no name of what its role never could.
        migrations.RunSQL(
            """
            UPDATE access_apitoken SET scopes = CASE role
                WHEN 'viewer' THEN 'read ofrep'
                WHEN 'operator' THEN 'read runs control flags ofrep'
                ELSE scopes END
            """,
            migrations.RunSQL.noop,
        ),
        migrations.AddField(
            model_name='auditentry',
            name='source',
            field=models.CharField(blank=True, db_default='', max_length=160),
        ),
        migrations.AddField(
            model_name='auditentry',
            name='trace_id',
            field=models.CharField(blank=True, db_default='', max_length=32),
        ),
        migrations.AddField(
            model_name='auditentry',
            name='position',
            field=models.BigIntegerField(db_default=0, editable=False),
        ),
        migrations.AddField(
            model_name='auditentry',
            name='previous_hash',
            field=models.CharField(db_default='', editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name='auditentry',
            name='hash',
            field=models.CharField(db_default='', editable=False, max_length=64),
        ),
    ]
