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

_GIVEN_FROM_MEMORY = {Verdict.VALID, Verdict.NOT_FOUND}
"""Any other verdict accuses somebody, and rests on what a node says now."""

_NODE = "node"


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
    work = _Work(validator, subject, asked=asked, worked=worked, chain_id=chain_id)
    try:
        await work.settle(fetcher)
    except RpcError as error:
        work.findings.fail("answered", str(error))
        work.settled = (Verdict.ERROR, 0, error.reason)
        work.reply = Reply((), error.node or work.reply.node)
    except Exception:  # noqa: BLE001 - a defect here must not take a whole chunk with it
        _log.exception("validator_failed", subject=str(subject), node=work.reply.node)
        work.settled = (Verdict.ERROR, 0, "internal")
    verdict, reached, reason = work.settled
    return Outcome(
        subject=str(subject),
        verdict=verdict,
        level=reached,
        reason=reason,
        checks=work.findings.checks,
        node=work.reply.node,
        ms=round((clock() - started) * 1000, 3),
        source=work.reply.source,
        age_s=round(work.reply.age_s, 3),
        block=work.findings.block,
    )


class _Work:
    """One item under examination: the last reply to it, what was found in that, and the verdict."""

    __slots__ = ("_validator", "asked", "chain_id", "findings", "reply", "settled",
                 "subject", "worked")  # fmt: skip

    def __init__(
        self,
        validator: Validator,
        subject: Subject,
        *,
        asked: int,
        worked: int,
        chain_id: int | None,
    ) -> None:
        self._validator = validator
        self.subject = subject
        self.asked = asked
        self.worked = worked
        self.chain_id = chain_id
        self.findings = Findings()
        self.reply = Reply((), "")
        self.settled = (Verdict.ERROR, 0, "internal")

    async def settle(self, fetcher: Fetcher) -> None:
        """Ask and examine until the verdict may be given: from memory, or from a node afresh."""
        calls = self._validator.calls(self.subject)
        heard = 0
        # What a cache knew, what a node says, once more where a reorganisation came in between.
        for fresh in (False, True, True):
            self.findings = Findings()
            self.reply = await fetcher.fetch(calls, fresh=fresh)
            await self._examine()
            if self.reply.source != _NODE:
                if self.settled[0] in _GIVEN_FROM_MEMORY:
                    return
            elif heard or self.findings.failed not in _MADE_OF_TWO_ANSWERS:
                return
            else:
                heard += 1
        if self.reply.source != _NODE:
            raise RuntimeError(f"asked afresh, {self.reply.source} answered")

    async def _examine(self) -> None:
        ending = await self._validator.examine(
            self.subject,
            self.reply.values,
            self.findings,
            level=self.worked,
            chain_id=self.chain_id,
        )
        if ending is None:
            self.settled = self.findings.verdict(asked=self.asked, worked=self.worked)
        else:
            self.settled = ending.verdict, 0, ending.reason
