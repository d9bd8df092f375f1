"""One turn of dropping: in batches, each a transaction with its own record, within a time."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from django.db import transaction

from console.access import forgetting
from console.access.audit import Actor
from console.access.forgetting import NotDropped
from console.retention import sizes
from console.retention.policy import Rule, rules
from console.retention.record import note
from console.retention.sizes import Size
from monitoring.alerts import dropping as alerts
from validation import dropped, retention

RUNS, ROWS = 200, 10_000
# A worker child validates nothing meanwhile, and beat asks again within a minute.
BUDGET_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What became of one kind: how many are gone now; `lacks` where it could not be done."""

    target: str
    dropped: int
    lacks: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one kind stands: its rule, since when the oldest there is, and how many are due."""

    rule: Rule
    before: datetime | None
    due: int
    size: Size


def turn(
    actor: Actor,
    *,
    now: datetime,
    clock: Callable[[], float] = time.monotonic,
    budget_s: float = BUDGET_S,
) -> list[Turn]:
    """Drops what is due; what is left when the time is over is left to the next turn. Raises the
    database's errors: each batch before is done and on record.
    """
    deadline = clock() + budget_s
    done = []
    for rule in rules():
        count, lacks = 0, ""
        try:
            for number in _batches(actor, rule, rule.before(now)):
                count += number
                if clock() >= deadline:
                    break
        except NotDropped as exc:
            lacks = str(exc)
        done.append(Turn(target=rule.target, dropped=count, lacks=lacks))
    while clock() < deadline and dropped.sweep(most=ROWS):
        pass
    return done


def standing(now: datetime) -> list[Standing]:
    """Reads only."""
    found = []
    for rule in rules():
        before = rule.before(now)
        due = sizes.due(rule.target, before) if before else 0
        found.append(Standing(rule=rule, before=before, due=due, size=sizes.size(rule.target)))
    return found


def _batches(actor: Actor, rule: Rule, before: datetime | None) -> Iterator[int]:
    drop, most = {
        "runs": (_drop_runs, RUNS),
        "evidence": (_drop_evidence, ROWS),
        "audit": (_drop_audit, ROWS),
        "alerts": (_drop_alerts, ROWS),
    }[rule.target]
    while before and (number := drop(actor, rule, before)):
        yield number
        # The last; by a clock that is ahead, records of the trail would drop each other for ever.
        if number < most:
            break


def _drop_runs(actor: Actor, rule: Rule, before: datetime) -> int:
    with transaction.atomic():
        batch = dropped.drop(before, most=RUNS)
        if batch is None:
            return 0
        said = f"{batch.runs} runs with {batch.items} items, V-{batch.first} to V-{batch.last}"
        counted = {"runs": batch.runs, "items": batch.items}
        counted |= {"first": batch.first, "last": batch.last}
        note(actor, rule.target, f"{said}, by {rule.setting}={rule.days}", before, counted)
    return batch.runs


def _drop_evidence(actor: Actor, rule: Rule, before: datetime) -> int:
    with transaction.atomic():
        number = retention.forget_evidence(before, most=ROWS)
        if number:
            said = f"Evidence of {number} items, by {rule.setting}={rule.days}"
            note(actor, rule.target, said, before, {"items": number})
    return number


def drop_too_much(actor: Actor) -> int:
    """The oldest evidence where there is too much of it, whatever its age; how many items'."""
    with transaction.atomic():
        number = retention.forget_most_evidence()
        if number:
            room = retention.EVIDENCE_BYTES >> 20
            said = f"The oldest evidence, of {number} items: there is room for {room} MiB"
            note(actor, "evidence", said, datetime.now(UTC), {"items": number})
    return number


def _drop_audit(actor: Actor, rule: Rule, before: datetime) -> int:
    """The database itself writes the record, as it drops."""
    return forgetting.forget(actor, before, most=ROWS, why=f"{rule.setting}={rule.days}")


def _drop_alerts(actor: Actor, rule: Rule, before: datetime) -> int:
    with transaction.atomic():
        gone = alerts.drop(before, most=ROWS)
        if gone.all:
            said = (
                f"{gone.alerts} alerts that are over, {gone.notifications} notifications with "
                f"{gone.deliveries} deliveries, {gone.silences} silences"
            )
            note(actor, rule.target, f"{said}, by {rule.setting}={rule.days}", before, asdict(gone))
    return gone.all
