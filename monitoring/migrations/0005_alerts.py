"""Alerts, what mutes them, who is told; and whose turn it is to look.

The last is no model: `monitoring.alerts.turns` alone reads and writes it.
"""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

TURNS = """
-- One row: the last moment that somebody looked at, who that was, and how many had been before.
CREATE TABLE monitoring_alertturn (
    one boolean PRIMARY KEY DEFAULT TRUE CHECK (one),
    holder text NOT NULL DEFAULT '',
    slot timestamptz NOT NULL DEFAULT 'epoch',
    number bigint NOT NULL DEFAULT 0
);
INSERT INTO monitoring_alertturn DEFAULT VALUES;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('monitoring', '0004_history'),
    ]

    operations = [
        migrations.CreateModel(
            name='Alert',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('rule', models.CharField(max_length=64)),
                ('subject', models.CharField(blank=True, default='', max_length=160)),
                ('group', models.CharField(max_length=16)),
                ('severity', models.CharField(max_length=8)),
                ('state', models.CharField(max_length=8)),
                ('began_at', models.DateTimeField()),
                ('fired_at', models.DateTimeField(null=True)),
                ('cleared_at', models.DateTimeField(null=True)),
                ('calm_since', models.DateTimeField(null=True)),
                ('critical_since', models.DateTimeField(null=True)),
                ('value', models.FloatField(null=True)),
                ('worst', models.FloatField(null=True)),
                ('seen_at', models.DateTimeField(null=True)),
                ('unknown_since', models.DateTimeField(null=True)),
                ('words', models.TextField(blank=True, default='')),
                ('threshold', models.FloatField(null=True)),
                ('flaps', models.IntegerField(default=0)),
                ('acknowledged_by', models.CharField(blank=True, default='', max_length=160)),
                ('acknowledged_at', models.DateTimeField(null=True)),
                ('acknowledged_reason', models.TextField(blank=True, default='')),
                ('told', models.CharField(blank=True, default='', max_length=8)),
                ('told_at', models.DateTimeField(null=True)),
                ('muted', models.CharField(blank=True, default='', max_length=200)),
            ],
            options={
                'indexes': [models.Index(fields=['-began_at', '-id'], name='alert_newest'), models.Index(fields=['rule', 'subject', '-cleared_at'], name='alert_before')],
                'constraints': [models.UniqueConstraint(models.F('rule'), models.F('subject'), condition=models.Q(('state', 'cleared'), _negated=True), name='alert_open')],
            },
        ),
        migrations.CreateModel(
            name='Notification',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=120, unique=True)),
                ('group', models.CharField(max_length=16)),
                ('severity', models.CharField(max_length=8)),
                ('what', models.CharField(max_length=8)),
                ('title', models.TextField()),
                ('body', models.TextField()),
                ('alerts', models.JSONField(default=list)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('routed', models.BooleanField(default=False)),
            ],
            options={
                'indexes': [models.Index(models.F('id'), condition=models.Q(('routed', False)), name='notification_unrouted'), models.Index(fields=['-created_at'], name='notification_newest')],
            },
        ),
        migrations.CreateModel(
            name='Silence',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('rule', models.CharField(blank=True, default='', max_length=64)),
                ('group', models.CharField(blank=True, default='', max_length=16)),
                ('subject', models.CharField(blank=True, default='', max_length=160)),
                ('kind', models.CharField(default='silence', max_length=12)),
                ('begins_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('reason', models.TextField()),
                ('by', models.CharField(max_length=160)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'indexes': [models.Index(fields=['-ends_at'], name='silence_end')],
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('destination', models.CharField(max_length=200)),
                ('state', models.CharField(default='due', max_length=10)),
                ('attempts', models.IntegerField(default=0)),
                ('next_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('error', models.TextField(blank=True, default='')),
                ('delivered_at', models.DateTimeField(null=True)),
                ('notification', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='monitoring.notification')),
            ],
            options={
                'indexes': [models.Index(models.F('next_at'), condition=models.Q(('state__in', ['due', 'failed'])), name='delivery_due')],
                'constraints': [models.UniqueConstraint(models.F('notification'), models.F('destination'), name='delivery_once')],
            },
        ),
        migrations.RunSQL(TURNS, "DROP TABLE monitoring_alertturn"),
    ]
