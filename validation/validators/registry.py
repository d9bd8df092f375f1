"""Validates one subject: asks, examines, settles. The table of kinds is here."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import structlog
from msgspec import UNSET

from validation.rpc import Call, Reply, RpcError
from validation.subjects import Kind, Subject
from validation.validators import addresses, block_rules, blocks, head, transactions
from validation.validators.asking import Ask, Fetcher, Heard
from validation.validators.findings import Ending, Findings
from validation.validators.grounds import Grounds
from validation.validators.outcome import Outcome, Verdict
from validation.validators.timeline import Timeline

_log = structlog.get_logger(__name__)


class Validator(Protocol):
    """What a module that validates one kind must have."""

    HIGHEST_LEVEL: int

    @property
    def EARNED_BY(self) -> Mapping[int, frozenset[str]]:  # noqa: N802 - a constant of the module
        """The checks without which a level that takes evidence is not reached."""

    def calls(self, subject: Subject, level: int = 1) -> tuple[Call, ...]:
        """What to ask the node first for checks up to `level`, all of it in one round trip."""

    async def examine(
        self, subject: Subject, values: Any, findings: Findings, *, level: int, ask: Ask
    ) -> Ending | None:
        """Make the checks up to `level`; an ending settles the item whatever the checks say.

        `values` are the answers to `calls`; what more it takes is asked through `ask`.
        """


KINDS: dict[Kind, Validator] = {
    Kind.TX: transactions,
    Kind.BLOCK: blocks,
    Kind.ADDRESS: addresses,
    Kind.HEAD: head,
}
HIGHEST_LEVEL: dict[Kind, int] = {
    kind: validator.HIGHEST_LEVEL for kind, validator in KINDS.items()
}

_AT_ONCE, _ANCHORED = 3, 4
"""The highest levels that need no time to pass: without a trusted checkpoint, and with one."""

_MADE_OF_TWO_ANSWERS = {
    *("receipt_block", "account", "balance", "nonce", "code", "storage", "anchored", "final"),
    *("proof_not_served", "header_not_served"),
}
"""Checks that also fail, and reasons to skip that there also are, on an honest node when a
reorganisation falls between its two answers, or between those of two nodes.
"""

_GIVEN_FROM_MEMORY = {Verdict.VALID, Verdict.NOT_FOUND}
"""Any other verdict accuses somebody, and rests on what a node says now."""

_NODE = "node"


def default_level(kind: Kind, grounds: Grounds) -> int:
    """What an item of the kind is validated to where no level is asked for by name: the highest
    that this deployment can settle at once. Level 5 depends on time, and is asked for.
    """
    return min(HIGHEST_LEVEL[kind], _AT_ONCE if grounds.checkpoint is None else _ANCHORED)


async def validate(
    subject: Subject,
    *,
    level: int | None,
    fetcher: Fetcher,
    chain_id: int | None = None,
    grounds: Grounds | None = None,
    heard: list[Heard] | None = None,
    explain: bool = False,
    clock: Callable[[], float] = time.perf_counter,
) -> Outcome:
    """Validate to `level`, or to the kind's `default_level`.

    `grounds` is what items of one engine share, and knows the chain id; without it `chain_id`
    does. `heard` is given all that the verdict rests on. `explain`: what was computed and claimed
    stands with checks that passed too, and the outcome says where the time went.

    Never raises, except where it is cancelled: a node's error is the verdict `error`, with the
    reason of the `RpcError`, and so is a defect here, which is logged.
    """
    validator = KINDS[subject.kind]
    started = clock()
    grounds = grounds or Grounds(chain_id=chain_id)
    asked = default_level(subject.kind, grounds) if level is None else level
    worked = min(asked, validator.HIGHEST_LEVEL)
    timeline = Timeline(clock) if explain else None
    ask = Ask(fetcher, grounds, timeline=timeline)
    work = _Work(validator, subject, asked=asked, worked=worked, ask=ask)
    try:
        await work.settle()
    except RpcError as error:
        work.findings.fail("answered", str(error))
        work.settled = (Verdict.ERROR, 0, error.reason)
        work.node = error.node or work.node
    except Exception:  # noqa: BLE001 - a defect here must not take a whole chunk with it
        _log.exception("validator_failed", subject=str(subject), node=work.node)
        work.settled = (Verdict.ERROR, 0, "internal")
    verdict, reached, reason = work.settled
    ask = work.ask
    if heard is not None:
        heard.extend(ask.heard)
    return Outcome(
        subject=str(subject),
        verdict=verdict,
        level=reached,
        reason=reason,
        checks=work.findings.checks,
        node=work.node,
        ms=round((clock() - started) * 1000, 3),
        source=ask.source,
        age_s=round(ask.age_s, 3),
        block=work.findings.block,
        caught=tuple(work.findings.caught) or UNSET,
        spans=UNSET if timeline is None else tuple(timeline.spans),
    )


class _Work:
    """One item under examination: what was asked last, what was found in that, and the verdict."""

    __slots__ = (
        "_knows_rules",
        "_validator",
        "ask",
        "asked",
        "findings",
        "node",
        "settled",
        "subject",
        "worked",
    )

    def __init__(
        self, validator: Validator, subject: Subject, *, asked: int, worked: int, ask: Ask
    ) -> None:
        self._validator = validator
        self.subject = subject
        self.asked = asked
        self.worked = worked
        self.ask = ask
        self.findings = Findings()
        self.node = ""
        self._knows_rules = block_rules.are_known(ask.chain_id)
        self.settled = (Verdict.ERROR, 0, "internal")

    async def settle(self) -> None:
        """Ask and examine until the verdict may be given: from memory, or from a node afresh."""
        calls = self._validator.calls(self.subject, self.worked)
        first, said = self.ask, 0
        # What a cache knew, what a node says, once more where a reorganisation came in between.
        for fresh in (False, True, True):
            self.findings = Findings(
                accuses=self._knows_rules,
                earned_by=self._validator.EARNED_BY,
                timeline=first.timeline,
            )
            self.ask = Ask(first.fetcher, first.grounds, fresh=fresh, timeline=first.timeline)
            reply = await self.ask.fetch(calls)
            self.node = self.findings.node = reply.node
            await self._examine(reply)
            if self.ask.source != _NODE:
                if self.settled[0] in _GIVEN_FROM_MEMORY:
                    return
            elif said or self.findings.doubt not in _MADE_OF_TWO_ANSWERS:
                return
            else:
                said += 1
        if self.ask.source != _NODE:
            raise RuntimeError(f"asked afresh, {self.ask.source} answered")

    async def _examine(self, reply: Reply) -> None:
        ending = await self._validator.examine(
            self.subject, reply.values, self.findings, level=self.worked, ask=self.ask
        )
        if ending is None:
            self.settled = self.findings.verdict(asked=self.asked, worked=self.worked)
        else:
            self.settled = ending.verdict, ending.level, ending.reason
