"""More rows than a list may read through: twelve thousand in each table that grows."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

ROWS = 12_000
# One run has as many items, each with a result, and every tenth is not valid.
LARGE = 1
# What is sought: in one title and one act of this many.
ONE_IN = 400
_TABLES = (
    *("validation_run", "validation_chunk", "validation_item", "validation_result"),
    *("validation_checkprofile", "validation_evidence", "validation_catch", "validation_anchor"),
    *(
        "validation_retraction",
        "access_auditentry",
        "access_audithead",
        "access_apitoken",
        "auth_user",
    ),
    *("flags_plannedstage", "monitoring_point_10s", "monitoring_series"),
)

_PATIENCE_S = 20.0

_FILL = """
INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name, email, is_staff,
    is_active, date_joined)
SELECT n, '', false, 'person-' || n, '', '', '', false, true, now() FROM generate_series(1, 500) n;

INSERT INTO access_apitoken (user_id, name, prefix, digest, role, scopes, created_at)
SELECT 1 + n %% 500, 'token ' || n, 'sy_', md5(n::text), 'viewer', 'read', now()
FROM generate_series(1, %(n)s) n;

INSERT INTO validation_run (id, state, title, total, priority, origin, created_by_id, node_urls,
    idempotency_key, request_digest, malformed_count, malformed, created_at, started_at,
    finished_at)
SELECT n, CASE WHEN n %% 100 = 0 THEN 'cancelled' WHEN n %% 1500 = 1 AND n > 1 THEN 'running'
        WHEN n %% 1500 = 2 THEN 'draft' ELSE 'done' END,
    CASE WHEN n %% %(one_in)s = 0 THEN 'a needle ' ELSE 'block:' END || n,
    CASE WHEN n = 1 THEN %(n)s ELSE n %% 977 END, 1, 'api', 1 + n %% 500, '[]', '', '', 0, '[]',
    now() - (%(n)s - n) * interval '1 minute', now() - (%(n)s - n) * interval '1 minute',
    CASE WHEN n %% 1500 NOT IN (1, 2) OR n = 1 THEN now() - (%(n)s - n) * interval '1 minute' END
FROM generate_series(1, %(n)s) n;

INSERT INTO validation_chunk (run_id, first, size, state, priority, turn, fence, attempts, worker,
    closed_at, valid, invalid, not_found, unverifiable, error)
SELECT id, 0, 10, CASE state WHEN 'running' THEN 'ready' ELSE 'done' END, 1, 0, 1, 1, 'rack-4:1',
    finished_at, 9, 1, 0, 0, 0
FROM validation_run WHERE state <> 'draft';

INSERT INTO validation_checkprofile (id, text) VALUES (1, 'answered:pass hash:pass');

INSERT INTO validation_item (run_id, ordinal, subject)
SELECT 1, n - 1, 'block:' || n FROM generate_series(1, %(n)s) n
UNION ALL SELECT run, n, 'block:' || n FROM generate_series(2, 3000) run, generate_series(0, 9) n;

INSERT INTO validation_result (run_id, ordinal, subject, verdict, level, reason, node, ms,
    profile_id)
SELECT run_id, ordinal, subject, CASE ordinal %% 10 WHEN 0 THEN 'invalid' ELSE 'valid' END, 2,
    CASE ordinal %% 10 WHEN 0 THEN 'hash_mismatch' ELSE 'ok' END, 'node', 1, 1
FROM validation_item;

INSERT INTO validation_evidence (run_id, ordinal, spans, kept_at)
SELECT run_id, ordinal, '[]', now() - (run_id %% 3000) * interval '1 minute'
FROM validation_item WHERE run_id < 1500;

INSERT INTO validation_catch (label, run_id, ordinal, subject, check_name, detail)
SELECT 'node-' || n %% 40, n %% 3000, n %% 10, 'block:1', 'hash', 'another'
FROM generate_series(1, %(n)s) n;

INSERT INTO validation_anchor (run_id, ordinal, block_number, block_hash)
SELECT run_id, ordinal, ordinal, md5(run_id::text)
FROM validation_item WHERE run_id BETWEEN 2 AND 1500;

INSERT INTO validation_retraction (run_id, ordinal, verdict, level, reason, block_number,
    block_hash)
SELECT run_id, ordinal, 'valid', 2, 'ok', 1, ''
FROM validation_item WHERE run_id BETWEEN 2 AND 1500;

INSERT INTO flags_plannedstage (flag_id, at, stage, based_on, state, reason, actor, role,
    settled_at, note)
SELECT (SELECT min(key) FROM flags_flag), now() - n * interval '1 hour', 5, 1, 'done', 'by and by',
    'ada', 'operator', now() - n * interval '1 hour', ''
FROM generate_series(1, %(n)s) n;

INSERT INTO monitoring_series (name, counter)
SELECT 'series ' || n, false FROM generate_series(1, 30) n;
INSERT INTO monitoring_point_10s (at, series, value)
SELECT now() - n * interval '10 seconds', s.id, 1
FROM generate_series(1, %(n)s / 10) n, monitoring_series s;

SELECT setval(pg_get_serial_sequence('auth_user', 'id'), %(n)s),
    setval(pg_get_serial_sequence('validation_run', 'id'), %(n)s),
    setval(pg_get_serial_sequence('validation_checkprofile', 'id'), 1);

-- Without their triggers: acts of months, where a chain would give all the time of now.
SET LOCAL session_replication_role = replica;
INSERT INTO access_auditentry (at, actor, role, origin, token, action, kind, target, before, after,
    reason, revision, position, previous_hash, hash)
SELECT now() - (%(n)s - n) * interval '10 minutes', 'person-' || n %% 300, 'operator', 'page', '',
    (ARRAY['override', 'tune', 'purge'])[1 + n %% 3], CASE WHEN n %% 1000 = 0 THEN 'rare' ELSE
    (ARRAY['breaker', 'flags', 'nodes'])[1 + n %% 3] END, 'target-' || n %% 200, '{}', '{}',
    CASE WHEN n %% %(one_in)s = 0 THEN 'a needle of reasons' ELSE 'for no reason at all' END,
    n, n, md5(n::text), md5((n + 1)::text)
FROM generate_series(1, %(n)s) n;
"""


@contextmanager
def rows() -> Iterator[None]:
    """Committed, since only rows that all can see are found in an index alone; gone afterwards."""
    _empty()
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_FILL, {"n": ROWS, "one_in": ONE_IN})
        _vacuum()
        yield
    finally:
        _empty()


def _empty() -> None:
    """Also of what tests that commit have left."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(f"TRUNCATE {', '.join(_TABLES)} RESTART IDENTITY CASCADE")


def _vacuum() -> None:
    """As autovacuum does in time: what is counted is then read from an index alone. Where another
    session looks at the same moment, rows are not yet seen by all, and it is done again.
    """
    deadline = time.monotonic() + _PATIENCE_S
    with connection.cursor() as cursor:
        while True:
            cursor.execute(f"VACUUM (ANALYZE) {', '.join(_TABLES)}")
            cursor.execute(_UNSEEN, [list(_TABLES)])
            [unseen] = cursor.fetchone()
            if not unseen or time.monotonic() > deadline:
                break
    assert not unseen, f"{unseen} pages are not seen by all: somebody holds a transaction open"


_UNSEEN = """
SELECT sum(relpages - relallvisible) FROM pg_class
WHERE relname = ANY(%s) AND relkind = 'r'
"""
