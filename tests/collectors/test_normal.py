"""Statements without the values that they hold."""

import pytest

from monitoring.collectors.normal import LONGEST, normal


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT 1", "SELECT ?"),
        ("SELECT *\n  FROM t1 WHERE a = -1.5e3", "SELECT * FROM t1 WHERE a = ?"),
        ("SELECT 'it''s -- a secret', 2", "SELECT ?, ?"),
        (r"SELECT E'a\'b secret' FROM t", "SELECT ? FROM t"),
        ("SELECT $$secret$$, $x$secret$$still$x$ FROM t", "SELECT ?, ? FROM t"),
        ("SELECT * FROM t WHERE name = 'cut in the mid", "SELECT * FROM t WHERE name = ?"),
        ("SELECT /* of user 7 */ a -- secret\nFROM t", "SELECT a FROM t"),
        ("WHERE id IN (1, 2, 3)", "WHERE id IN (?, …)"),
        ("WHERE id = $1 AND col2 = $2", "WHERE id = $1 AND col2 = $2"),
        ("", ""),
    ],
)
def test_values_are_taken_out(text: str, said: str) -> None:
    assert normal(text) == said


def test_a_long_one_is_bounded() -> None:
    found = normal("SELECT " + ", ".join(f"column_{n}" for n in range(1_000)))
    assert len(found) == LONGEST
    assert found.endswith("…")
