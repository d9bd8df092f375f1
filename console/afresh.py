"""Validates one item again now, with all that it rests on: what a person looks at, and its proof.

Asks the nodes from the web process, through an engine that lives as long as the question: bounded
in time and in number, since each holds a thread that pages need too.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from django.conf import settings
from django.db import connection
from msgspec import UNSET, structs

from console.controls import turns
from validation import wiring
from validation.agreement import agree
from validation.engine import Engine
from validation.evidence import BundleError, completed, pack
from validation.lineage import lineage_to
from validation.models import Node, Run
from validation.node_table import wished
from validation.nodecheck.bounded import in_time
from validation.rpc import NodeUrl, Span
from validation.second_opinion import Examined, SecondOpinions
from validation.subjects import Subject, parse_subject
from validation.validators import Grounds, Heard, Outcome, Verdict, validate
from validation.validators.registry import default_level

LIMIT_S = 20.0
AT_ONCE, RETRY_AFTER_S = turns.AT_ONCE, turns.RETRY_AFTER_S

# Those of all that ask nodes from this process.
_turns = turns.TURNS


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
    rows = Node.objects.order_by("position", "id").values_list("label", "url", "cordoned_at")
    table = [(label, url, cordoned_at is not None) for label, url, cordoned_at in rows]
    return wished(table, settings.NODES).in_service


async def _examine(
    run: Run,
    subject: str,
    nodes: Sequence[NodeUrl],
    limit_s: float,
    now: Callable[[], float],
) -> Afresh:
    engine = Engine.on(wiring.rpc_config(nodes, processes=1))
    grounds = _grounds(engine)
    made_at = now()
    try:
        async with asyncio.timeout(limit_s):
            standing = await _standing(parse_subject(subject), run, engine, grounds)
            heard = await completed(
                standing.outcome, standing.heard, fetcher=engine.fetcher, grounds=grounds
            )
    except TimeoutError:
        raise _late(nodes, limit_s) from None
    finally:
        await engine.client.aclose()
    made = Afresh(outcome=standing.outcome, level=run.level, made_at=made_at, packed=None)
    return _with_proof(made, subject, heard, grounds)


def _grounds(engine: Engine) -> Grounds:
    """A lineage of its own: what links the item must be among what was heard of it."""
    checkpoint = settings.CHECKPOINT
    return replace(engine.grounds, checkpoint=checkpoint, lineage=lineage_to(checkpoint))


async def _standing(subject: Subject, run: Run, engine: Engine, grounds: Grounds) -> Examined:
    """What it comes to. As in the fleet, another node is asked before one is accused."""
    heard: list[Heard] = []
    level = default_level(subject.kind, grounds) if run.level is None else run.level
    outcome = await validate(
        subject,
        level=level,
        fetcher=engine.fetcher,
        grounds=grounds,
        heard=heard,
        explain=True,
    )
    found = Examined(outcome, heard, level)
    if outcome.verdict is Verdict.INVALID and grounds.others is not None:
        opinions = SecondOpinions(_grounds(engine))
        found = await opinions.on(subject, outcome, level=level, explain=True) or found
    if run.agreement is None:
        return found
    agreement = await agree(
        subject, found.outcome, found.heard, asked=run.agreement, grounds=grounds
    )
    return found._replace(outcome=structs.replace(found.outcome, agreement=agreement))


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
            f"This web process asks nodes {AT_ONCE} times already, for others: try again in "
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
