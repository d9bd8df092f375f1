"""What a sample of Postgres suggests to do, each with the figures that it rests on."""

from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from monitoring.collectors.postgres_samples import Index, PostgresSample, Table

_UNUSED_BYTES: Final = 1_000_000
_ROWS_A_SCAN: Final = 10_000
_SCANS: Final = 50
_DEAD_SHARE: Final = 0.2
_DEAD_ROWS: Final = 10_000
_BLOAT_SHARE: Final = 0.5
_BLOAT_BYTES: Final = 50_000_000
_IDLE_S: Final = 60.0
_TAKEN: Final = 0.8

type Topic = Literal["connections", "index", "scan", "vacuum", "transaction"]


class Advice(msgspec.Struct, kw_only=True, frozen=True):
    """`todo` is an order, `evidence` what was counted; `target` is what it is about."""

    topic: Topic
    target: str
    todo: str
    evidence: str


def advice(sample: PostgresSample) -> tuple[Advice, ...]:
    """What presses first."""
    return (*_of_connections(sample), *_of_transactions(sample), *_of_sizes(sample))


def _of_connections(sample: PostgresSample) -> Iterator[Advice]:
    taken = sum(one.number for one in sample.connections or ())
    most = sample.server.max_connections - sample.server.reserved
    if taken >= _TAKEN * most:
        yield Advice(
            topic="connections",
            target=sample.server.name,
            todo="Make pools smaller, put a pooler before the server, or raise max_connections.",
            evidence=f"{taken} of {most} connections that the application may take are taken.",
        )


def _of_transactions(sample: PostgresSample) -> Iterator[Advice]:
    for one in sample.sessions or ():
        if one.state == "idle in transaction" and (one.state_s or 0.0) > _IDLE_S:
            yield Advice(
                topic="transaction",
                target=f"process {one.pid} ({one.application})",
                todo="End its transaction: what it holds is locked, and nothing newer is vacuumed.",
                evidence=f"It does nothing in a transaction for {one.state_s:.0f} s.",
            )


def _of_sizes(sample: PostgresSample) -> Iterator[Advice]:
    if sample.sizes is None:
        return
    for index in sample.sizes.indexes:
        yield from _of_index(index)
    for table in sample.sizes.tables:
        yield from _of_table(table)


def _of_index(index: Index) -> Iterator[Advice]:
    if not index.valid:
        yield Advice(
            topic="index",
            target=index.name,
            todo="Rebuild it with REINDEX INDEX CONCURRENTLY, or drop it.",
            evidence=f"It is not valid: {index.table} pays for it, and no query uses it.",
        )
    elif index.scans == 0 and not index.unique and index.bytes >= _UNUSED_BYTES:
        yield Advice(
            topic="index",
            target=index.name,
            todo="Drop it, if no replica and no rare report uses it.",
            evidence=f"Not used since the statistics began, and {index.bytes / 1e6:.1f} MB large.",
        )


def _of_table(table: Table) -> Iterator[Advice]:
    a_scan = table.seq_rows / table.seq_scans if table.seq_scans else 0.0
    if table.seq_scans >= _SCANS and a_scan >= _ROWS_A_SCAN:
        yield Advice(
            topic="scan",
            target=table.name,
            todo="Look for the statement that reads all of it, and give it an index.",
            evidence=f"Read as a whole {table.seq_scans} times, {a_scan:.0f} rows each; "
            f"{table.index_scans} times by an index.",
        )
    dead_share = table.dead_share or 0.0
    if table.dead >= _DEAD_ROWS and dead_share >= _DEAD_SHARE:
        yield Advice(
            topic="vacuum",
            target=table.name,
            todo="Vacuum it, and let autovacuum come sooner.",
            evidence=f"{100 * dead_share:.0f} % of its rows, {table.dead}, are dead.",
        )
    bloat, share = table.bloat_bytes or 0, table.bloat_share or 0.0
    if bloat >= _BLOAT_BYTES and share >= _BLOAT_SHARE:
        yield Advice(
            topic="vacuum",
            target=table.name,
            todo="Vacuum it; new rows use the room. Where few will come, pg_repack gives it back: "
            "VACUUM FULL does too, and locks the table meanwhile.",
            evidence=f"About {100 * share:.0f} % of it, {bloat / 1e6:.0f} MB, holds no row: "
            "estimated from pg_stats as of its last ANALYZE.",
        )
