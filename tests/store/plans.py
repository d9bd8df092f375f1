"""How Postgres carries out what a page asked: what its plans read, and what of it in vain."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One reading of a table. `discarded`: rows that were read and were not those asked for."""

    kind: str
    table: str
    given: int
    discarded: int
    sql: str

    @property
    def is_whole(self) -> bool:
        """The table from its beginning to its end; to see whether it has a row at all is not."""
        return self.kind == "Seq Scan" and self.given + self.discarded > 1


def scans(sql: str) -> Iterator[Scan]:
    """Of a query; what changes something is not looked at."""
    if not sql.lstrip().upper().startswith(("SELECT", "WITH")) or "FOR UPDATE" in sql:
        return
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql.replace('%', '%%')}", [])
        found = cursor.fetchone()[0]
    plan = found if isinstance(found, list) else json.loads(found)
    for node in _nodes(plan[0]["Plan"]):
        if "Relation Name" in node:
            each = node.get("Rows Removed by Filter", 0)
            yield Scan(
                kind=node["Node Type"],
                table=node["Relation Name"],
                given=round(node["Actual Rows"] * node["Actual Loops"]),
                discarded=round(each * node["Actual Loops"]),
                sql=sql,
            )


def large_tables(above: int) -> set[str]:
    """As the statistics say: partitions by their own names."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > %s"
            " AND relnamespace = 'public'::regnamespace",
            [above],
        )
        return {name for (name,) in cursor.fetchall()}


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
