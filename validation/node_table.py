"""The table of nodes as a worker reads it: which may be asked, in which order, which only watched.

Plain SQL on a psycopg connection, as all that workers do. A process has the URLs of NODE_URLS from
its environment, and of those that operators added from the table.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import structlog

from validation.rpc import NodeUrl

log = structlog.get_logger(__name__)

type Row = tuple[str, str, bool]
"""Label, URL or "", and whether it is cordoned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodesWish:
    """In order of preference. `unreadable`: labels whose URL this release cannot read."""

    in_service: tuple[NodeUrl, ...]
    watched: tuple[NodeUrl, ...] = ()
    unreadable: tuple[str, ...] = ()


def seed(connection: psycopg.Connection[Any], configured: Sequence[NodeUrl]) -> None:
    """Writes down the nodes of NODE_URLS that the table does not name yet. Many processes do it at
    once; what operators made of a row stays.
    """
    labels = sorted({node.label: n for n, node in enumerate(configured)}.items())
    if labels:
        params = ([label for label, _ in labels], [position for _, position in labels])
        connection.execute(_SEED, params)


def read(connection: psycopg.Connection[Any], configured: Sequence[NodeUrl]) -> NodesWish:
    """What the table says."""
    return wished(connection.execute(_READ).fetchall(), configured)


def wished(rows: Iterable[Row], configured: Sequence[NodeUrl]) -> NodesWish:
    """What rows in the table's order amount to, whoever read them. Nodes of NODE_URLS that the
    table does not name are in service, before all others.
    """
    rows = list(rows)
    here = {node.label: node for node in configured}
    named = {label for label, _, _ in rows}
    in_service = [node for label, node in here.items() if label not in named]
    watched: list[NodeUrl] = []
    unreadable: list[str] = []
    for label, url, is_cordoned in rows:
        try:
            # One of NODE_URLS of another time or another process has no URL here: not ours to ask.
            node = here.get(label) or (NodeUrl.parse(url) if url else None)
        except ValueError as error:
            log.error("node.unreadable", node=label, error=str(error))  # noqa: TRY400 - of its text
            unreadable.append(label)
            continue
        if node is not None:
            (watched if is_cordoned else in_service).append(node)
    return NodesWish(
        in_service=tuple(in_service), watched=tuple(watched), unreadable=tuple(unreadable)
    )


# In one order, so that two processes that start together cannot deadlock.
_SEED = """
INSERT INTO validation_node
    (label, url, position, cordoned_by, cordon_reason, added_by)
SELECT label, '', position, '', '', '' FROM unnest(%s::text[], %s::int[]) AS n (label, position)
ORDER BY label ON CONFLICT (label) DO NOTHING
"""

_READ = "SELECT label, url, cordoned_at IS NOT NULL FROM validation_node ORDER BY position, id"
