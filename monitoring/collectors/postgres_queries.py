"""The questions to Postgres, by the part of the sample that they fill. All read views only."""

from typing import Final

SERVER: Final = """
SELECT extract(epoch FROM clock_timestamp())::float8 AS at,
       current_setting('server_version') AS version, current_database() AS name,
       extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8 AS up_s,
       current_setting('max_connections')::int AS max_connections,
       current_setting('superuser_reserved_connections')::int
           + coalesce(current_setting('reserved_connections', true)::int, 0) AS reserved,
       pg_is_in_recovery() AS in_recovery,
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_all,
       (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS role_most,
       (SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS database_most,
       pg_size_bytes(current_setting('shared_buffers')) AS shared_bytes,
       (SELECT reset_val::int FROM pg_settings WHERE name = 'statement_timeout') AS statement_ms
"""

CONNECTIONS: Final = """
SELECT coalesce(nullif(application_name, ''), '(unnamed)') AS application,
       coalesce(state, 'hidden') AS state, count(*)::int AS number,
       count(*) FILTER (WHERE wait_event_type = 'Lock')::int AS on_locks,
       max(extract(epoch FROM clock_timestamp() - state_change))::float8 AS longest_s,
       max(extract(epoch FROM clock_timestamp() - xact_start))::float8 AS transaction_s
FROM pg_stat_activity
WHERE backend_type = 'client backend' OR backend_type IS NULL
GROUP BY 1, 2 ORDER BY number DESC, 1, 2 LIMIT 100
"""

WAITS: Final = """
SELECT wait_event_type AS kind, wait_event AS event, count(*)::int AS number
FROM pg_stat_activity
WHERE state = 'active' AND wait_event IS NOT NULL AND pid <> pg_backend_pid()
GROUP BY 1, 2 ORDER BY number DESC, 1, 2 LIMIT 20
"""

# Only of those who wait: to ask who blocks whom stops the lock manager for a moment each time.
BLOCKED: Final = """
WITH waiting AS MATERIALIZED (
    SELECT pid, application_name, query, query_start FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' ORDER BY query_start LIMIT 20
), locks AS MATERIALIZED (
    SELECT DISTINCT ON (pid) pid, mode, locktype, relation, waitstart FROM pg_locks
    WHERE NOT granted AND EXISTS (SELECT FROM waiting)
)
SELECT w.pid, coalesce(nullif(application_name, ''), '(unnamed)') AS application,
       extract(epoch FROM clock_timestamp() - coalesce(waitstart, query_start))::float8 AS waits_s,
       coalesce(mode, '') AS mode,
       coalesce(relation::regclass::text, locktype, '') AS target,
       pg_blocking_pids(w.pid) AS blockers, left(query, 2000) AS text
FROM waiting w LEFT JOIN locks ON locks.pid = w.pid
ORDER BY waits_s DESC
"""

SESSIONS: Final = """
SELECT pid, coalesce(nullif(application_name, ''), '(unnamed)') AS application,
       coalesce(state, 'hidden') AS state,
       extract(epoch FROM clock_timestamp() - xact_start)::float8 AS transaction_s,
       extract(epoch FROM clock_timestamp() - state_change)::float8 AS state_s,
       coalesce(wait_event_type || ': ' || wait_event, '') AS wait, left(query, 2000) AS text
FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND (pid = ANY (%(pids)s)
   OR backend_type = 'client backend' AND xact_start < clock_timestamp() - interval '1 second')
ORDER BY pid = ANY (%(pids)s) DESC, xact_start NULLS LAST LIMIT 20
"""

COUNTS: Final = """
SELECT xact_commit AS commits, xact_rollback AS rollbacks, blks_hit AS blocks_hit,
       blks_read AS blocks_read, deadlocks, conflicts, temp_bytes,
       sessions_abandoned + sessions_fatal + sessions_killed AS sessions_lost
FROM pg_stat_database WHERE datname = current_database()
"""

# Without texts: those are in a file that the server would read as a whole.
STATEMENTS: Final = """
SELECT queryid::text AS id, sum(calls)::float8 AS calls, sum(total_exec_time)::float8 AS ms,
       sum(rows)::float8 AS rows, sum(shared_blks_hit)::float8 AS hit,
       sum(shared_blks_read)::float8 AS read, sum(temp_blks_written)::float8 AS temp
FROM pg_stat_statements(false)
WHERE queryid IS NOT NULL
  AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
GROUP BY queryid
"""

TEXTS: Final = """
SELECT queryid::text AS id, min(left(query, 4000)) AS text FROM pg_stat_statements(true)
WHERE queryid::text = ANY (%(ids)s) GROUP BY queryid
"""

REPLICAS: Final = """
SELECT coalesce(nullif(application_name, ''), '(unnamed)') AS name,
       coalesce(state, 'hidden') AS state, coalesce(sync_state, '') AS sync,
       pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                            ELSE pg_current_wal_lsn() END, replay_lsn)::float8 AS lag_bytes,
       extract(epoch FROM replay_lag)::float8 AS lag_s
FROM pg_stat_replication ORDER BY 1 LIMIT 20
"""

SLOTS: Final = """
SELECT slot_name AS name, slot_type AS kind, active,
       pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                            ELSE pg_current_wal_lsn() END, restart_lsn)::float8 AS retained_bytes
FROM pg_replication_slots ORDER BY 1 LIMIT 20
"""

CHECKPOINTS: Final = """
SELECT num_timed AS timed, num_requested AS requested, write_time / 1000 AS write_s,
       sync_time / 1000 AS sync_s, buffers_written AS buffers
FROM pg_stat_checkpointer
"""
# Before Postgres 17.
CHECKPOINTS_BEFORE: Final = """
SELECT checkpoints_timed AS timed, checkpoints_req AS requested,
       checkpoint_write_time / 1000 AS write_s, checkpoint_sync_time / 1000 AS sync_s,
       buffers_checkpoint AS buffers
FROM pg_stat_bgwriter
"""

DATABASE_BYTES: Final = """
SELECT extract(epoch FROM clock_timestamp())::float8 AS at,
       pg_database_size(current_database()) AS database_bytes
"""

# The largest by what the planner knows, so that few files are looked at. Bloat is the usual
# estimate from pg_stats, of what ANALYZE or VACUUM last wrote down: pages of the table beyond those
# that its rows need, each 4 bytes of pointer, a header and its columns at their mean width, both
# padded to 8. Measured (pgstattuple) it would cost a walk through each table.
TABLES: Final = """
WITH largest AS MATERIALIZED (
    SELECT s.*, c.relpages::float8 AS pages, c.reltuples AS rows, c.reloptions,
           current_setting('block_size')::float8 AS page_bytes,
           (SELECT count(*) FROM pg_attribute a
            WHERE attrelid = relid AND attnum > 0 AND NOT attisdropped AND attgenerated <> 'v'
           ) AS columns
    FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
    ORDER BY c.relpages DESC, s.n_live_tup DESC, relid LIMIT 40
), widths AS (
    SELECT relid, count(*) AS columns,
           4 + 8 * ceil((23 + CASE WHEN max(null_frac) > 0 THEN ceil(count(*) / 8.0)
                                   ELSE 0 END) / 8)
             + 8 * ceil(sum((1 - null_frac) * avg_width) / 8) AS row_bytes
    FROM largest JOIN pg_stats USING (schemaname) WHERE tablename = relname AND NOT inherited
    GROUP BY relid
), needed AS (
    SELECT relid, pages, page_bytes, ceil(rows / greatest(1, floor(
        (page_bytes - 24) * coalesce((SELECT option_value::float8 / 100
            FROM pg_options_to_table(reloptions) WHERE option_name = 'fillfactor'), 1) / row_bytes
    ))) AS pages_needed
    FROM largest JOIN widths USING (relid, columns) WHERE pages > 0 AND rows >= 0
)
SELECT s.schemaname || '.' || s.relname AS name, pg_total_relation_size(s.relid) AS bytes,
       n_live_tup AS live, n_dead_tup AS dead,
       (n_dead_tup::float8 / nullif(n_live_tup + n_dead_tup, 0)) AS dead_share,
       seq_scan AS seq_scans, seq_tup_read AS seq_rows, coalesce(idx_scan, 0) AS index_scans,
       (heap_blks_hit::float8 / nullif(heap_blks_hit + heap_blks_read, 0)) AS hit_ratio,
       extract(epoch FROM clock_timestamp() - greatest(last_vacuum, last_autovacuum))::float8
           AS vacuumed_s_ago,
       extract(epoch FROM clock_timestamp() - greatest(last_analyze, last_autoanalyze))::float8
           AS analyzed_s_ago,
       (greatest(0, needed.pages - pages_needed) * needed.page_bytes)::int8 AS bloat_bytes,
       greatest(0, needed.pages - pages_needed) / needed.pages AS bloat_share
FROM largest s JOIN pg_statio_user_tables io USING (relid) LEFT JOIN needed USING (relid)
ORDER BY bytes DESC, 1
"""

INDEXES: Final = """
WITH largest AS MATERIALIZED (
    SELECT s.*, i.indisunique, i.indisvalid FROM pg_stat_user_indexes s
    JOIN pg_index i USING (indexrelid) JOIN pg_class c ON c.oid = s.indexrelid
    ORDER BY NOT i.indisvalid DESC, c.relpages DESC LIMIT 60
)
SELECT indexrelname AS name, schemaname || '.' || relname AS table,
       pg_relation_size(indexrelid) AS bytes, idx_scan AS scans,
       indisunique AS unique, indisvalid AS valid
FROM largest ORDER BY bytes DESC, 1
"""
