"""Validates one subject: asks, examines, settles. The table of kinds is here."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import structlog

from validation.rpc import Call, Reply, RpcError
from validation.subjects import Kind, Subject
from validation.validators import addresses, blocks, head, transactions
from validation.validators.findings import Ending, Findings
from validation.validators.outcome import Outcome, Verdict

_log = structlog.get_logger(__name__)


class Fetcher(Protocol):
    """Answers a group of calls in one round trip, from one node."""

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        """`fresh`: asked of a node now, whatever a cache knows."""


class Validator(Protocol):
    """What a module that validates one kind must have."""

    HIGHEST_LEVEL: int

    def calls(self, subject: Subject) -> tuple[Call, ...]:
        """What to ask the node, all of it in one round trip."""

    async def examine(
        self,
        subject: Subject,
        values: Any,
        findings: Findings,
        *,
        level: int,
        chain_id: int | None,
    ) -> Ending | None:
        """Make the checks up to `level`; an ending settles the item whatever the checks say."""


KINDS: dict[Kind, Validator] = {
    Kind.TX: transactions,
    Kind.BLOCK: blocks,
    Kind.ADDRESS: addresses,
    Kind.HEAD: head,
}
HIGHEST_LEVEL: dict[Kind, int] = {
    kind: validator.HIGHEST_LEVEL for kind, validator in KINDS.items()
}

_MADE_OF_TWO_ANSWERS = {"receipt_block"}
"""Checks that also fail on an honest node when a reorganisation falls between its two answers."""


async def validate(
    subject: Subject,
    *,
    level: int | None,
    fetcher: Fetcher,
    chain_id: int | None,
    clock: Callable[[], float] = time.perf_counter,
) -> Outcome:
    """Validate to `level`, or to the highest built for the kind.

    Never raises, except where it is cancelled: a node's error is the verdict `error`, with the
    reason of the `RpcError`, and so is a defect here, which is logged.
    """
    validator = KINDS[subject.kind]
    asked = validator.HIGHEST_LEVEL if level is None else level
    worked = min(asked, validator.HIGHEST_LEVEL)
    started = clock()
    findings = Findings()
    node = ""
    ending: Ending | None
    try:
        calls = validator.calls(subject)
        for _ in range(2):
            findings = Findings()
            reply = await fetcher.fetch(calls)
            node = reply.node
            ending = await validator.examine(
                subject, reply.values, findings, level=worked, chain_id=chain_id
            )
            if findings.failed not in _MADE_OF_TWO_ANSWERS:
                break
    except RpcError as error:
        node = error.node or node
        findings.fail("answered", str(error))
        ending = Ending(Verdict.ERROR, error.reason)
    except Exception:  # noqa: BLE001 - a defect here must not take a whole chunk with it
        _log.exception("validator_failed", subject=str(subject), node=node)
        ending = Ending(Verdict.ERROR, "internal")
    verdict, reached, reason = findings.verdict(asked=asked, worked=worked)
    if ending is not None:
        verdict, reached, reason = ending.verdict, 0, ending.reason
    return Outcome(
        subject=str(subject),
        verdict=verdict,
        level=reached,
        reason=reason,
        checks=findings.checks,
        node=node,
        ms=round((clock() - started) * 1000, 3),
    )
