"""What an operator can do with runs. Each act is one transaction; wake-ups follow its commit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, connection, connections, router, transaction
from django.db.models import Count, Exists, OuterRef
from django.db.models.functions import Now

from validation import anchors, quorum, retention, tasks, tracing
from validation.intake import TAKE_TIME, Intake
from validation.models import (
    VERDICTS,
    Chunk,
    ChunkState,
    Item,
    Result,
    ResultQuerySet,
    Run,
    RunState,
)
from validation.refusals import AgreementRefused as AgreementRefused  # noqa: PLC0414 - given on
from validation.refusals import IdempotencyConflict as IdempotencyConflict  # noqa: PLC0414 - as above
from validation.refusals import MalformedItems as MalformedItems  # noqa: PLC0414 - as above
from validation.refusals import RunRefused as RunRefused  # noqa: PLC0414 - as above
from validation.subjects import Malformed, Subject

CHUNK_SIZE = 400
INTERACTIVE_SIZE = 2_000
RATE_WINDOW_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run stands: counts by verdict, items a second of late, seconds left."""

    id: int
    state: str
    total: int
    done: int
    valid: int
    invalid: int
    not_found: int
    unverifiable: int
    error: int
    rate: float | None
    eta_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRow:
    """An item with its result, or without one while it waits."""

    ordinal: int
    subject: str
    result: Result | None


def start_run(
    entries: Iterable[Subject | Malformed],
    *,
    level: int | None,
    origin: str,
    created_by: User | None = None,
    title: str = "",
    idempotency_key: str = "",
    request_digest: str = "",
    node_urls: Sequence[str] = (),
    agreement: int | None = None,
    on_malformed: str = "refuse",
) -> Run:
    """Writes the run and its items in one transaction and wakes the fleet once it is committed.

    `entries` is read once, in bounded memory. `on_malformed` is "refuse" (MalformedItems, nothing
    kept), "draft" (kept whole until `start_draft` or `discard_draft`) or "accept" (the good ones
    start). `agreement` nodes must say the same; None: one is enough. The same `idempotency_key` by
    the same user gives back the run it made the first time.
    """
    if idempotency_key and (known := _known(created_by, idempotency_key, request_digest)):
        return known
    if lack := quorum.lack(node_urls):
        raise RunRefused(lack)
    if refusal := quorum.refusal(agreement, node_urls):
        raise AgreementRefused(refusal)
    try:
        with transaction.atomic():
            run = Run.objects.create(
                state=RunState.DRAFT,
                level=level,
                origin=origin,
                created_by=created_by,
                idempotency_key=idempotency_key,
                request_digest=request_digest,
                node_urls=list(node_urls),
                agreement=agreement,
            )
            intake = Intake(run, keep_going=on_malformed != "refuse")
            intake.copy(entries)
            run.title = title or intake.title()
            if not intake.malformed_count or on_malformed == "accept":
                _release(run)
            run.save()
    except IntegrityError:
        known = _known(created_by, idempotency_key, request_digest) if idempotency_key else None
        if known is None:
            raise
        return known
    return run


def start_draft(run: Run) -> Run:
    """Starts the good items of a draft that had malformed ones."""
    with transaction.atomic():
        locked = Run.objects.select_for_update().filter(pk=run.pk).first()
        if locked is None:
            raise RunRefused(f"{run} was discarded: give its items again.")
        if locked.state != RunState.DRAFT:
            raise RunRefused(f"{locked} is {locked.get_state_display().lower()} already.")
        _release(locked)
        locked.save()
    return locked


def discard_draft(run: Run) -> None:
    if not retention.forget_draft(run.pk):
        raise RunRefused(f"{run} is no draft any more: cancel it instead.")


def cancel_run(run: Run) -> Run:
    """Stops a run: what is validated stays, what a worker holds is refused when it comes back."""
    with transaction.atomic():
        stopped = Run.objects.filter(pk=run.pk, state=RunState.RUNNING).update(
            state=RunState.CANCELLED, finished_at=Now()
        )
        if not stopped:
            run.refresh_from_db()
            raise RunRefused(f"{run} is {run.get_state_display().lower()}: nothing to cancel.")
        Chunk.objects.filter(run_id=run.pk, state__in=(ChunkState.READY, ChunkState.LEASED)).update(
            state=ChunkState.CANCELLED, lease_until=None
        )
    run.refresh_from_db()
    return run


def retry_run(
    run: Run,
    *,
    origin: str,
    created_by: User | None = None,
    verdict: str = "",
    reason: str = "",
) -> Run:
    """A new run of the items of `run` that are not valid; the first verdicts stay as evidence."""
    if not run.is_finished:
        raise RunRefused(f"{run} is still {run.get_state_display().lower()}: retry once it ended.")
    failed = _filtered(run, verdict, reason).not_valid()
    with transaction.atomic():
        new = Run.objects.create(
            state=RunState.DRAFT,
            title=f"Retry of {run}: {run.title}"[:200],
            level=run.level,
            origin=origin,
            created_by=created_by,
            node_urls=run.node_urls,
            agreement=run.agreement,
            retry_of=run,
        )
        with connection.cursor() as cursor:
            cursor.execute(TAKE_TIME)
            sql, params = failed.values_list("ordinal", "subject").query.sql_with_params()
            cursor.execute(
                "INSERT INTO validation_item (run_id, ordinal, subject) "
                "SELECT %s, row_number() OVER (ORDER BY ordinal) - 1, subject "
                f"FROM ({sql}) AS failed",
                [new.pk, *params],
            )
            new.total = cursor.rowcount
        if not new.total:
            raise RunRefused(f"{run} has nothing to retry: every item asked for is valid.")
        _release(new)
        new.save()
    return new


def progress(run_ids: Sequence[int]) -> dict[int, Progress]:
    """The state of each run in one query; counts derive from closed chunks alone."""
    # Where Django would read it.
    with connections[router.db_for_read(Run)].cursor() as cursor:
        cursor.execute(_PROGRESS, {"ids": list(run_ids), "window": RATE_WINDOW_S})
        columns = [column.name for column in cursor.description or ()]
        rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    return {row["id"]: _progress(row) for row in rows}


def reasons(run: Run) -> list[tuple[str, str, int]]:
    """(verdict, reason code, count) of everything that is not valid, most first."""
    rows = Result.objects.filter(run_id=run.pk).not_valid().values_list("verdict", "reason")
    return [(v, r, n) for v, r, n in rows.annotate(n=Count("ordinal")).order_by("-n", "verdict")]


def items_page(
    run: Run, *, after: int = -1, limit: int = 100, verdict: str = "", reason: str = ""
) -> list[ItemRow]:
    """At most `limit` items after ordinal `after`. `verdict`: also "waiting" or "not_valid"."""
    if verdict in {"", "waiting"} and not reason:
        return _all_items(run, after, limit, waiting_only=verdict == "waiting")
    results = _filtered(run, verdict, reason).with_checks().filter(ordinal__gt=after)
    results = results.order_by("ordinal")[:limit]
    return [ItemRow(ordinal=r.ordinal, subject=r.subject, result=r) for r in results]


def results_page(run: Run, *, after: int = -1, limit: int = 2_000) -> list[Result]:
    """The next results in order of ordinal: what exports page by."""
    rows = Result.objects.with_checks().filter(run_id=run.pk, ordinal__gt=after).order_by("ordinal")
    page = list(rows[:limit])
    anchors.tie(run, page)
    return page


def _known(user: User | None, key: str, digest: str) -> Run | None:
    run = Run.objects.filter(created_by=user and user.pk, idempotency_key=key).first()
    if run and run.request_digest != digest:
        raise IdempotencyConflict(
            f"Idempotency-Key {key!r} was used for {run} with another request: use a new key."
        )
    return run


def _release(run: Run) -> None:
    """Cuts a draft into chunks that workers can claim. The caller saves the run."""
    run.state = RunState.RUNNING
    run.traceparent = tracing.carried()
    run.priority = 0 if run.total <= INTERACTIVE_SIZE else 1
    size = max(25, min(CHUNK_SIZE, -(-run.total // (4 * tasks.fleet_size()))))
    ready = Chunk.objects.filter(state=ChunkState.READY, priority=run.priority)
    turn = ready.order_by("turn").values_list("turn", flat=True).first() or 0
    Chunk.objects.bulk_create(
        (
            Chunk(
                run=run,
                first=first,
                size=min(size, run.total - first),
                priority=run.priority,
                turn=turn + n,
            )
            for n, first in enumerate(range(0, run.total, size))
        ),
        batch_size=1_000,
    )
    transaction.on_commit(lambda: tasks.ring(-(-run.total // size)))


def _filtered(run: Run, verdict: str, reason: str) -> ResultQuerySet:
    results = Result.objects.filter(run_id=run.pk)
    if verdict == "not_valid":
        results = results.not_valid()
    elif verdict:
        results = results.filter(verdict=verdict)
    return results.filter(reason=reason) if reason else results


def _all_items(run: Run, after: int, limit: int, *, waiting_only: bool) -> list[ItemRow]:
    items = Item.objects.filter(run_id=run.pk, ordinal__gt=after).order_by("ordinal")
    if waiting_only:
        done = Result.objects.filter(run_id=run.pk, ordinal=OuterRef("ordinal"))
        items = items.filter(~Exists(done))
    page = list(items[:limit])
    if not page:
        return []
    span = (page[0].ordinal, page[-1].ordinal)
    results = Result.objects.with_checks().filter(run_id=run.pk, ordinal__range=span)
    found = {result.ordinal: result for result in results}
    return [
        ItemRow(ordinal=i.ordinal, subject=i.subject, result=found.get(i.ordinal)) for i in page
    ]


_PROGRESS = """
SELECT r.id, r.state, r.total,
       coalesce(c.valid, 0) AS valid, coalesce(c.invalid, 0) AS invalid,
       coalesce(c.not_found, 0) AS not_found, coalesce(c.unverifiable, 0) AS unverifiable,
       coalesce(c.error, 0) AS error, coalesce(c.recent, 0) AS recent,
       extract(epoch FROM coalesce(r.finished_at, now()) - r.started_at)::float AS elapsed_s
FROM validation_run r
LEFT JOIN LATERAL (
    SELECT sum(valid) AS valid, sum(invalid) AS invalid, sum(not_found) AS not_found,
           sum(unverifiable) AS unverifiable, sum(error) AS error,
           sum(size) FILTER (WHERE closed_at > now() - make_interval(secs => %(window)s)) AS recent
    FROM validation_chunk WHERE run_id = r.id AND state = 'done'
) c ON true
WHERE r.id = ANY(%(ids)s)
"""


def _progress(row: dict[str, Any]) -> Progress:
    done = sum(row[verdict] for verdict in VERDICTS)
    elapsed = row.pop("elapsed_s")
    recent = row.pop("recent")
    rate = None
    if elapsed and elapsed > 0:
        finished = row["state"] in {RunState.DONE, RunState.CANCELLED}
        rate = done / elapsed if finished else recent / min(elapsed, RATE_WINDOW_S)
    waiting = row["total"] - done
    eta_s = waiting / rate if rate and row["state"] == RunState.RUNNING else None
    return Progress(done=done, rate=rate, eta_s=eta_s, **row)
