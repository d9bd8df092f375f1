"""The sources' own gaps are found when their numbers are given: 768 → 100, and 2 000 → 200."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from console.capacity import NotNumbers, given, judge, violated

# 000, Resource Contention Points: three pools of 256 before a PgBouncer that lends 100.
POOLS: list[dict[str, Any]] = [
    {"server": name, "size": 256} for name in ("primary", "replica_1", "replica_2")
]
TOO_MANY: dict[str, Any] = {
    "pools": POOLS,
    "bouncer": {
        "clients": 1000, "mode": "transaction", "query_wait_s": 120, "before_replicas": True,
        "lent": [{"database": "bizra_node0", "pool": 100, "most": 100}],
    },
    "times": {"statement": 35, "request": 60},
}  # fmt: skip
# 001, task 1.3: what was to mend it.
MENDED: dict[str, Any] = {
    "pools": [],
    "bouncer": {
        "clients": 2000, "mode": "session", "user_most": 200, "query_wait_s": 30,
        "lent": [{"database": "bizra_node0", "pool": 200, "reserve": 25, "most": 400}],
    },
}  # fmt: skip


def found(numbers: Mapping[str, Any]) -> dict[str, str]:
    limits = violated(judge(given(json.dumps(numbers).encode())))
    return {one.key: one.explains for one in limits}


def test_768_connections_of_pools_meet_100_of_pgbouncer() -> None:
    said = found(TOO_MANY)
    assert said["pgbouncer.servers"].startswith("768 clients → 100 connections to Postgres")
    assert "timeouts.statement" in said, "120 s for a connection and 35 for a statement are over 60"


def test_what_the_roadmap_sets_instead_promises_2000_clients_200_connections() -> None:
    said = found(MENDED)
    assert said["pgbouncer.promised"].startswith(
        "2000 clients are accepted → 200 connections to Postgres, by session pooling"
    )


def test_the_roadmaps_sizes_do_not_serve_the_three_pools_either() -> None:
    said = found(MENDED | {"pools": POOLS})
    assert said["pgbouncer.servers"].startswith("256 clients → 200 connections")


def test_adr_001_makes_the_pools_fit() -> None:
    fitting = [pool | {"size": 100} for pool in POOLS]
    assert "pgbouncer.servers" not in found(TOO_MANY | {"pools": fitting})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", "truncated"),
        (b"[]", "Expected `object`"),
        (b'{"pool": 1}', "unknown field `pool`"),
        (b'{"pools": [{"size": 0}]}', r"\$\.pools\[0\]\.size"),
        (b'{"declared": "\xff"}', "declared|utf-8"),
        (b'{"declared": 1e400}', "declared|number"),
    ],
)
def test_what_are_no_numbers_is_refused_by_its_place(text: bytes, said: str) -> None:
    with pytest.raises(NotNumbers, match=said):
        given(text)
