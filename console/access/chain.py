"""Whether the audit trail is whole: its hashes computed again, apart from the SQL that wrote them.

A row is what its hash says, stands where its position says and follows the row whose hash it names;
the last one is the head. An anchor is a head as it was: whoever changed rows and computed all later
hashes again cannot have changed what was written down elsewhere. Where the oldest rows were dropped
(`forgetting`), the chain begins behind the row that its record names.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, Self

from django.db import connection

_PAGE = 2_000
_START = "0" * 64
_SCHEME = "switchyard-audit-1,"
_DIGITS = frozenset("0123456789abcdef")

# "forgotten": not the trail, but what its last check found is missing.
type Fault = Literal["edited", "gap", "added", "relinked", "truncated", "rewritten", "forgotten"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """The head of the chain at some time: the row at `position` has `hash`."""

    position: int
    hash: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """`POSITION:HASH`, as logs and pages write it. Raises ValueError saying what it is not."""
        position, colon, digest = text.strip().partition(":")
        digest = digest.lower()
        is_hash = len(digest) == len(_START) and set(digest) <= _DIGITS
        if not (colon and is_hash and position.isascii() and position.isdigit()):
            raise ValueError(
                f"{text[:100]!r} is no anchor: write POSITION:HASH, as the log has it."
            )
        return cls(position=int(position), hash=digest)

    def __str__(self) -> str:
        return f"{self.position}:{self.hash}"


BEGINNING = Anchor(position=0, hash=_START)


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """The first place where the chain does not hold. `entry`: the row's id; None: it is missing."""

    fault: Fault
    position: int
    said: str
    entry: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """How far a stretch of the chain holds, how many rows were looked at, and where it breaks."""

    reached: Anchor
    rows: int
    broken: Break | None = None
    # Behind which row the trail begins: that which was dropped last, on record.
    begins: Anchor = BEGINNING


@dataclass(frozen=True, slots=True)
class _Row:
    """As the database writes each of its values in text; None is null."""

    id: int
    position: int
    previous_hash: str
    hash: str
    said: tuple[str | None, ...]

    def computed(self) -> str:
        fields = (str(self.position), self.previous_hash, str(self.id), *self.said)
        return sha256((_SCHEME + "".join(map(_field, fields))).encode()).hexdigest()


def head() -> Anchor:
    """Of a trail that has no row yet, or whose head was removed: its beginning."""
    found = _one("SELECT position, hash FROM access_audithead WHERE id = 1")
    return Anchor(position=found[0], hash=found[1]) if found else BEGINNING


def start() -> Anchor:
    """The row that was dropped last, as the newest record of it in the trail says."""
    found = _one(_DROPPED)
    said = json.loads(found[0]) if found else {}
    try:
        return Anchor.parse(f"{said['position']}:{said['hash']}")
    except (KeyError, TypeError, ValueError):
        return BEGINNING  # a record that names none: rows that are missing are told as missing


def steadily(look: Callable[[Anchor], Walk]) -> Walk:
    """What `look` finds from the beginning that there is; once more where rows were dropped
    meanwhile, for then it missed them where none was missing.
    """
    while True:
        begins = start()
        found = look(begins)
        if found.broken is None or start() == begins:
            return found


def link(position: int, begins: Anchor = BEGINNING) -> Anchor:
    """What the row at `position` says that its hash is: where a walk in the middle begins."""
    if position <= begins.position:
        return begins
    found = _one("SELECT hash FROM access_auditentry WHERE position = %s", position)
    return Anchor(position=position, hash=found[0] if found else "")


def verify(anchors: Iterable[Anchor] = ()) -> Walk:
    """The whole trail, up to the head that there is when it begins."""
    anchors = list(anchors)

    def look(begins: Anchor) -> Walk:
        last = head()
        walked = walk(begins, last.position)
        broken = walked.broken or ends(last, begins) or held(anchors, begins)
        return Walk(reached=walked.reached, rows=walked.rows, broken=broken, begins=begins)

    return steadily(look)


def walk(after: Anchor, until: int) -> Walk:
    """The rows behind `after` up to the position `until`: each what it says, none missing."""
    reached, rows = after, 0
    for row in _rows(after.position, until):
        rows += 1
        if broken := _wrong(row, reached):
            return Walk(reached=reached, rows=rows, broken=broken)
        reached = Anchor(position=row.position, hash=row.hash)
    if reached.position < until:
        missing = Break(
            fault="truncated",
            position=reached.position + 1,
            said=f"{_named(reached.position + 1, until)} missing: the head stands at {until}",
        )
        return Walk(reached=reached, rows=rows, broken=missing)
    return Walk(reached=reached, rows=rows)


def ends(last: Anchor, begins: Anchor = BEGINNING) -> Break | None:
    """Whether the row at the head is the one that the head names, and no row stands outside."""
    if broken := _outside(begins):
        return broken
    if last.position and link(last.position).hash != last.hash:
        said = f"the head names another hash for row {last.position} than the row has"
        return Break(fault="rewritten", position=last.position, said=said)
    return None


def held(anchors: Iterable[Anchor], begins: Anchor = BEGINNING) -> Break | None:
    """The first anchor that the trail does not hold any more. Of one before its beginning nothing
    can be said.
    """
    for anchor in sorted(anchors, key=lambda one: one.position):
        if anchor.position < begins.position:
            continue
        found = link(anchor.position, begins)
        if not found.hash:
            said = f"row {anchor.position} is missing, and an anchor names it"
            return Break(fault="truncated", position=anchor.position, said=said)
        if found.hash != anchor.hash:
            said = f"row {anchor.position} has another hash than its anchor: it or one before it"
            return Break(
                fault="rewritten", position=anchor.position, said=f"{said} was written anew"
            )
    return None


def _wrong(row: _Row, before: Anchor) -> Break | None:
    expected = before.position + 1
    if row.position > expected:
        said = f"{_named(expected, row.position - 1)} missing before row {row.position}"
        return Break(fault="gap", position=expected, said=said)
    if row.position < expected:
        said = f"entry {row.id} stands at position {row.position}, which is taken"
        return Break(fault="added", position=row.position, entry=row.id, said=said)
    if row.computed() != row.hash:
        said = f"entry {row.id} at position {row.position} is not what its hash was computed of"
        return Break(fault="edited", position=row.position, entry=row.id, said=said)
    if row.previous_hash != before.hash:
        said = f"entry {row.id} at position {row.position} was chained to another row than the one "
        said += "before it"
        return Break(fault="relinked", position=row.position, entry=row.id, said=said)
    return None


def _outside(begins: Anchor) -> Break | None:
    """A row that the chain never gave a place: beyond the head, or before the first."""
    found = _one(_OUTSIDE, begins.position)
    if found is None:
        return None
    said = f"entry {found[0]} at position {found[1]} stands outside of the chain"
    return Break(fault="added", position=found[1], entry=found[0], said=said)


def _rows(after: int, until: int) -> Iterator[_Row]:
    """In the order of the chain, a page at a time; of one position also a second row."""
    last = (after, 2**63 - 1)
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_ROWS, [*last, until, _PAGE])
            page: Sequence[tuple[int | str | None, ...]] = cursor.fetchall()
        for entry, position, previous, digest, *said in page:
            last = (int(position or 0), int(entry or 0))
            yield _Row(
                last[1],
                last[0],
                str(previous),
                str(digest),
                tuple(None if one is None else str(one) for one in said),
            )
        if len(page) < _PAGE:
            return


def _one(query: str, *values: int) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        found: tuple[Any, ...] | None = cursor.fetchone()
    return found


def _field(value: str | None) -> str:
    """With its length before it: no two rows have one text."""
    return "-," if value is None else f"{len(value.encode())}:{value},"


def _named(first: int, last: int) -> str:
    return f"row {first} is" if first == last else f"rows {first} to {last} are"


# Values as text: what they are is for whoever reads them, the chain holds what was written.
_ROWS = """
SELECT id, position, previous_hash, hash,
    (extract(epoch FROM at) * 1000000)::bigint::text, actor, role, origin, token, source, trace_id,
    action, kind, target, before::text, after::text, reason, revision::text, reverts_id::text
FROM access_auditentry
WHERE (position, id) > (%s, %s) AND position <= %s
ORDER BY position, id
LIMIT %s
"""
_DROPPED = """
SELECT after::text FROM access_auditentry
WHERE kind = 'retention' AND target = 'audit' AND action = 'drop' ORDER BY id DESC LIMIT 1
"""
# One statement: a row that is chained meanwhile moves the head in the same moment.
_OUTSIDE = """
SELECT id, position FROM access_auditentry
WHERE position <= %s
    OR position > coalesce((SELECT position FROM access_audithead WHERE id = 1), 0)
ORDER BY position, id
LIMIT 1
"""
