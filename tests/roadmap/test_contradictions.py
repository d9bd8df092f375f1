"""Each contradiction that is known of the sources is recorded, with what is done here and why."""

import pytest

from console.roadmap.programmes import roadmap

# The known ones, and defects not to port.
KNOWN = {
    "pool-maximum", "pool-acquire", "statement-timeout", "pgbouncer-mode", "pgbouncer-servers",
    "l1-entries", "l1-ttl", "codec", "compression-threshold", "sockets", "alert-pool",
    "alert-hit-rate", "alert-errors", "alert-p95", "alert-lag", "alert-memory", "replica-pool",
    "current-is-fixed", "adr-001-phase-4", "adr-003-phase-4", "headline", "rollbacks",
}  # fmt: skip
DEFECTS = {
    "split", "batch-order", "blocks-immutable", "incremental-cleanup", "lru-without-reads",
    "adaptive-factor", "limit-per-host", "task-1-6", "valid-true",
}  # fmt: skip
# What a document says, in words that stand in ours.
SAYS = {
    "pool-maximum": ("CPU×8, at most 300", "CPU×4, at most 100", "CPU×2 + 10", "250", "256"),
    "pool-acquire": ("15 s", "30 s", "60 s"),
    "statement-timeout": ("7.5 s", "30 s"),
    "pgbouncer-mode": ("transactions", "sessions", "statements"),
    "pgbouncer-servers": ("100", "200"),
    "l1-entries": ("1 000", "5 000", "10 000"),
    "l1-ttl": ("60 s", "300 s"),
    "codec": ("gzip", "Brotli"),
    "compression-threshold": ("1 KB", "5 KB"),
    "sockets": ("50", "256", "512"),
    "alert-pool": ("70 %", "80 %", "90 %", "95 %"),
    "alert-hit-rate": ("40 %", "60 %", "70 %", "85 %"),
    "alert-errors": ("0.5 %", "1 %", "2 %"),
    "alert-p95": ("60 ms", "80 ms", "100 ms", "200 ms"),
    "alert-lag": ("0.5 s", "2 s", "5 s"),
    "alert-memory": ("40 GB", "500 MB"),
    "replica-pool": ("CPU×3", "5 to 50"),
    "headline": ("70 to 95 %",),
}
BY_ID = {each.id: each for each in roadmap().contradictions}


def test_the_known_ones_are_recorded() -> None:
    assert BY_ID.keys() >= KNOWN
    assert {key for key, each in BY_ID.items() if each.kind == "defect"} >= DEFECTS


@pytest.mark.parametrize("key", sorted(BY_ID))
def test_each_says_who_says_what_what_is_done_and_why(key: str) -> None:
    each = BY_ID[key]
    assert all((each.choice, each.why, each.subject))
    assert all(said.lines and said.says for said in each.said)
    assert {said.document for said in each.said} <= {"000", "001", "002", "003", "004"}
    if each.kind != "defect":
        assert len(each.said) > 1


@pytest.mark.parametrize("key", sorted(SAYS))
def test_each_names_the_values_that_differ(key: str) -> None:
    told = " ".join(said.says for said in BY_ID[key].said)
    assert [value for value in SAYS[key] if value not in told] == []


def test_the_four_decisions_are_there_with_what_became_of_them() -> None:
    assert [each.id for each in roadmap().adrs] == ["ADR-001", "ADR-002", "ADR-003", "ADR-004"]
    assert all(each.choice and each.why and each.rejected for each in roadmap().adrs)
    assert all(len(each.rejected) == 3 for each in roadmap().adrs)
