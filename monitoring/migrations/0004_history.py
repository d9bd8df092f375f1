"""What was measured, kept in three steps: 10 s for a day, a minute for two weeks, an hour for a year.

Each step is a table in partitions, which `monitoring_tend_history` makes ahead and drops when their
time is over. It runs as its owner: the application's role adds and reads rows, and makes no table.
None of them is a model, so that nothing but `monitoring.history` reads or writes them.
"""

from django.db import migrations

TABLES = """
CREATE TABLE monitoring_series (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    counter boolean NOT NULL
);

-- One row: who collects now, until when others leave it to them, and the last slot that was kept.
CREATE TABLE monitoring_collector (
    one boolean PRIMARY KEY DEFAULT TRUE CHECK (one),
    holder text NOT NULL DEFAULT '',
    until timestamptz NOT NULL DEFAULT 'epoch',
    slot timestamptz NOT NULL DEFAULT 'epoch'
);
INSERT INTO monitoring_collector DEFAULT VALUES;

CREATE TABLE monitoring_point_10s (
    at timestamptz NOT NULL,
    series integer NOT NULL,
    value double precision NOT NULL,
    low real,
    high real,
    PRIMARY KEY (series, at)
) PARTITION BY RANGE (at);
CREATE INDEX monitoring_point_10s_at ON monitoring_point_10s USING brin (at);

CREATE TABLE monitoring_point_1m (LIKE monitoring_point_10s, PRIMARY KEY (series, at))
    PARTITION BY RANGE (at);
CREATE INDEX monitoring_point_1m_at ON monitoring_point_1m USING brin (at);

CREATE TABLE monitoring_point_1h (LIKE monitoring_point_10s, PRIMARY KEY (series, at))
    PARTITION BY RANGE (at);
CREATE INDEX monitoring_point_1h_at ON monitoring_point_1h USING brin (at);

CREATE TABLE monitoring_point_10s_rest PARTITION OF monitoring_point_10s DEFAULT;
CREATE TABLE monitoring_point_1m_rest PARTITION OF monitoring_point_1m DEFAULT;
CREATE TABLE monitoring_point_1h_rest PARTITION OF monitoring_point_1h DEFAULT;
"""

TEND = """
CREATE FUNCTION monitoring_tend_history(now timestamptz)
RETURNS TABLE (made integer, dropped integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
    step record;
    part record;
    begins timestamptz;
    child text;
BEGIN
    made := 0;
    dropped := 0;
    FOR step IN SELECT * FROM (VALUES
        ('monitoring_point_10s', 'day', interval '1 day', interval '1 day', interval '7 days'),
        ('monitoring_point_1m', 'day', interval '1 day', interval '14 days', interval '7 days'),
        ('monitoring_point_1h', 'month', interval '1 month', interval '1 year', interval '2 months')
    ) AS steps (parent, unit, width, kept, ahead)
    LOOP
        begins := date_trunc(step.unit, now);
        WHILE begins <= now + step.ahead LOOP
            child := step.parent || to_char(begins, '"_"YYYYMMDD');
            IF to_regclass(child) IS NULL THEN
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                               child, step.parent, begins, begins + step.width);
                made := made + 1;
            END IF;
            begins := begins + step.width;
        END LOOP;
        FOR part IN
            SELECT c.relname AS name,
                   to_timestamp(right(c.relname, 8), 'YYYYMMDD') + step.width AS ends
            FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = step.parent::regclass AND c.relname ~ '_[0-9]{8}$'
        LOOP
            IF part.ends <= now - step.kept THEN
                EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', step.parent, part.name);
                EXECUTE format('DROP TABLE %I', part.name);
                dropped := dropped + 1;
            END IF;
        END LOOP;
    END LOOP;
    RETURN NEXT;
END
$$;

SELECT * FROM monitoring_tend_history(clock_timestamp());
"""

UNDO = """
DROP FUNCTION monitoring_tend_history(timestamptz);
DROP TABLE monitoring_point_10s, monitoring_point_1m, monitoring_point_1h,
    monitoring_series, monitoring_collector;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('monitoring', '0003_statements'),
    ]

    operations = [
        migrations.RunSQL([TABLES, TEND], UNDO),
    ]
