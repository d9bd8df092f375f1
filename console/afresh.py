"""Validates one item again now, with all that it rests on: what a person looks at, and its proof.

Asks the nodes from the web process, through an engine that lives as long as the question: bounded
in time and in number, since each holds a thread that pages need too.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from django.conf import settings
from django.db import connection
from msgspec import UNSET, structs

from validation import wiring
from validation.agreement import agree
from validation.engine import Engine
from validation.evidence import BundleError, pack
from validation.lineage import lineage_to
from validation.models import Node, Run
from validation.nodecheck.bounded import in_time
from validation.rpc import NodeUrl, Span
from validation.subjects import parse_subject
from validation.validators import Grounds, Heard, Outcome, Verdict, validate

LIMIT_S = 20.0
AT_ONCE = 2
RETRY_AFTER_S = 5

_turns = threading.BoundedSemaphore(AT_ONCE)


class NotNow(Exception):
    """Why there is no answer, and what to do, in words for a person."""


class Busy(NotNow):
    """As many items as may be are validated for other people."""


class NoAnswer(NotNow):
    """No node, or none that answered within the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Afresh:
    """What came of it. `packed` is its proof bundle; None where there is none, `why_none` says."""

    outcome: Outcome
    level: int | None
    """The level asked, as the run has it."""
    made_at: float
    packed: bytes | None
    why_none: str = ""

    @property
    def spans(self) -> tuple[Span, ...]:
        return () if self.outcome.spans is UNSET else self.outcome.spans


def examine(
    run: Run,
    subject: str,
    *,
    limit_s: float = LIMIT_S,
    now: Callable[[], float] = time.time,
) -> Afresh:
    """Validates `subject` as `run` asks, on the nodes that the run may ask. NotNow says why not."""
    with _turn():
        nodes = nodes_of(run)
        if not nodes:
            raise NoAnswer(
                "No node is in service: set NODE_URLS, or take one into service on the page Nodes."
            )
        _let_go_of_the_database()
        # The loop's own end would wait for a name that is being resolved, for minutes.
        made = in_time(lambda: _examine(run, subject, nodes, limit_s, now), limit_s)
        if made is None:
            raise _late(nodes, limit_s)
        return made


def nodes_of(run: Run) -> tuple[NodeUrl, ...]:
    """Those that the run names; otherwise those in service, in their order."""
    if run.node_urls:
        return tuple(dict.fromkeys(NodeUrl.parse(url) for url in run.node_urls))
    rows = {row.label: row for row in Node.objects.all()}
    known = {node.label: node for node in settings.NODES}
    known |= {row.label: NodeUrl.parse(row.url) for row in rows.values() if row.url}
    labels = [label for label in known if label not in rows or not rows[label].cordoned_at]
    labels.sort(key=lambda label: rows[label].position if label in rows else 0)
    return tuple(known[label] for label in labels)


async def _examine(
    run: Run,
    subject: str,
    nodes: Sequence[NodeUrl],
    limit_s: float,
    now: Callable[[], float],
) -> Afresh:
    engine = Engine.on(wiring.rpc_config(nodes, processes=1))
    grounds = replace(
        engine.grounds,
        checkpoint=settings.CHECKPOINT,
        # Of its own: what links it must be among what was heard.
        lineage=lineage_to(settings.CHECKPOINT),
    )
    heard: list[Heard] = []
    made_at = now()
    try:
        async with asyncio.timeout(limit_s):
            outcome = await validate(
                parse_subject(subject),
                level=run.level,
                fetcher=engine.fetcher,
                grounds=grounds,
                heard=heard,
                explain=True,
            )
            if run.agreement is not None:
                agreement = await agree(
                    parse_subject(subject), outcome, heard, asked=run.agreement, grounds=grounds
                )
                outcome = structs.replace(outcome, agreement=agreement)
    except TimeoutError:
        raise _late(nodes, limit_s) from None
    finally:
        await engine.client.aclose()
    made = Afresh(outcome=outcome, level=run.level, made_at=made_at, packed=None)
    return _with_proof(made, subject, heard, grounds)


def _late(nodes: Sequence[NodeUrl], limit_s: float) -> NoAnswer:
    asked = ", ".join(node.label for node in nodes)
    return NoAnswer(
        f"{asked} did not answer all of it within {limit_s:g} s. Try again, or start a "
        "validation of this item: workers take the time it takes."
    )


def _with_proof(made: Afresh, subject: str, heard: Sequence[Heard], grounds: Grounds) -> Afresh:
    outcome = made.outcome
    if outcome.verdict is Verdict.ERROR and outcome.reason != "malformed_answer":
        said = next((check.detail for check in outcome.checks if check.detail), outcome.reason)
        return replace(made, why_none=f"There is no proof of an error: {said}")
    try:
        packed = pack(
            parse_subject(subject),
            level=made.level,
            outcome=outcome,
            heard=heard,
            grounds=grounds,
            made_at=made.made_at,
        )
    except BundleError as exc:
        return replace(made, why_none=f"There is no proof: {exc}.")
    return replace(made, packed=packed)


@contextmanager
def _turn() -> Iterator[None]:
    if not _turns.acquire(blocking=False):
        raise Busy(
            f"{AT_ONCE} items are validated for other people just now: try again in "
            f"{RETRY_AFTER_S} s."
        )
    try:
        yield
    finally:
        _turns.release()


def _let_go_of_the_database() -> None:
    """Nodes are waited for without a connection that others may need."""
    if not connection.in_atomic_block:
        connection.close()
