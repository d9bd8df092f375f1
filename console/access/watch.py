"""Checks the audit trail every half minute, writes its head to the log, and raises the alarm.

Bounded: of a trail too long for one turn the newest rows are checked each time, the older ones in
turns. What is wrong is found again and told each time until it is right. What the last check found
is what tells a trail that was cut off: where that is missing, nothing is known to be whole until
somebody has held the trail to an anchor from elsewhere.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from django.utils import timezone

from console.access import chain
from console.access.audit import TOPIC
from console.access.chain import Anchor, Break
from console.access.models import AuditCheck
from monitoring import events

# A second or two of work. `minutes` says how long all rows take.
ROWS = 50_000
NEWEST = 10_000
TURN_S = 30.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    head: Anchor
    swept_to: int
    broken: Break | None


def minutes(rows: int) -> float:
    """In how long each of so many rows is looked at once: 90 000 in one, a million in thirteen."""
    turns = 1 if rows <= ROWS else math.ceil((rows - NEWEST) / (ROWS - NEWEST))
    return turns * TURN_S / 60


def vouch(head: Anchor) -> bool:
    """After somebody found the trail whole and held it to an anchor: what was forgotten is known
    again. False where nothing was.
    """
    known = AuditCheck.objects.filter(pk=1, fault=_FORGOTTEN.fault)
    return bool(
        known.update(fault="", fault_position=None, said="", position=head.position, hash=head.hash)
    )


def check(
    *, rows: int = ROWS, newest: int = NEWEST, now: Callable[[], datetime] = timezone.now
) -> AuditCheck:
    """One turn; what it found is kept for the page, and told. Raises the database's errors."""
    known = AuditCheck.objects.filter(pk=1).first()
    before = known or AuditCheck(pk=1)
    is_forgotten = known is None or known.fault == _FORGOTTEN.fault
    turn = _turn(before, rows, newest, _FORGOTTEN if is_forgotten else None)
    found = AuditCheck(pk=1, checked_at=now(), swept_to=turn.swept_to)
    if turn.broken is None:
        found.position, found.hash = turn.head.position, turn.head.hash
    else:
        # The last head that was good goes on being looked for.
        found.position, found.hash = before.position, before.hash
        found.fault, found.fault_position = turn.broken.fault, turn.broken.position
        found.said = turn.broken.said
    found.save()
    _tell(before, found, turn)
    return found


_FORGOTTEN = Break(
    fault="forgotten",
    position=0,
    said="what the last check found was removed: rows may be cut off at the end, and nothing here "
    "would tell",
)


def _turn(before: AuditCheck, rows: int, newest: int, lacks: Break | None) -> _Turn:
    """Once more where the oldest rows were dropped while it looked."""
    while True:
        begins = chain.start()
        turn = _look(before, rows, newest, begins)
        if turn.broken is None or chain.start() == begins:
            return replace(turn, broken=turn.broken or lacks)


def _look(before: AuditCheck, rows: int, newest: int, begins: Anchor) -> _Turn:
    head = chain.head()
    known = Anchor(position=before.position, hash=before.hash) if before.position else None
    broken = chain.ends(head, begins) or chain.held([known] if known else [], begins)
    if head.position - begins.position <= rows:
        walked = chain.walk(begins, head.position)
        return _Turn(head=head, swept_to=0, broken=broken or walked.broken)
    tail = head.position - newest
    swept = before.swept_to if before.swept_to < tail else 0
    swept = max(swept, begins.position)
    # Within a bound also where a row is missing: the walk ends at a position.
    until = min(swept + rows - newest, tail)
    older = chain.walk(chain.link(swept, begins), until)
    young = chain.walk(chain.link(tail, begins), head.position)
    # What is broken is looked at first the next time too.
    swept_to = swept if older.broken else until
    return _Turn(head=head, swept_to=swept_to, broken=broken or older.broken or young.broken)


def _tell(before: AuditCheck, found: AuditCheck, turn: _Turn) -> None:
    head = turn.head
    # The anchor outside of the database: `manage.py audit --verify --anchor POSITION:HASH`.
    log.info("audit.head", position=head.position, hash=head.hash, whole=not found.fault)
    if found.fault:
        log.error(
            "audit.broken",
            fault=found.fault,
            position=found.fault_position,
            said=found.said,
            do="Compare with a backup: manage.py audit --verify --anchor POSITION:HASH",
        )
    elif before.fault:
        log.warning("audit.whole_again", position=head.position)
    if found.fault != before.fault:
        events.publish("alarms", "overview")
    events.publish(TOPIC)
