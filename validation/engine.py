"""Validates many subjects at once over one client: what a chunk and `--local` run on."""

import asyncio
import contextlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec import UNSET

from validation.agreement import WITHIN_S, agree
from validation.checkpoint import Checkpoint
from validation.item_variants import Always, Choices, Chooser, ItemPlan
from validation.keeping import SLOW_MS, Keeping, spans_of
from validation.lineage import lineage_to
from validation.pacing import Pace
from validation.rpc import RpcClient, RpcConfig
from validation.second_opinion import Examined, SecondOpinions, with_caught
from validation.subjects import Subject, parse_subject
from validation.validators import (
    Check,
    Fetcher,
    Grounds,
    Heard,
    Outcome,
    Status,
    Verdict,
    validate,
)
from validation.validators.registry import default_level

# Enough to fill every batch; more would only wait in the client, at the cost of their own deadline.
_AT_ONCE = 256
# Whatever nodes do, an item ends in time and so does a chunk, long before a worker is taken to be
# stuck: with `worker.STUCK_S`, and no fetch, but many of them one after the other, in mind.
ITEM_S = 45.0
CHUNK_S = 75.0
_SHUT = frozenset({"breaker_open", "rate_limited", "no_node"})
# Nodes that say otherwise are held to what they say; so many of them for one item.
_MOST_HELD = 4
# What a node's own answers must amount to, whatever was asked of the item.
_CONSISTENT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is wanted of each item. `agreement`: how many nodes must say the same; None: one is
    enough. `explain`: where the time went, and what was computed of checks that passed too.
    """

    level: int | None
    agreement: int | None = None
    explain: bool = False


@dataclass(frozen=True, slots=True)
class Engine:
    """`fetcher` is the client itself, or a cache in front of it; `choices` what stands in its
    place where a plan says so.
    """

    client: RpcClient
    fetcher: Fetcher
    grounds: Grounds
    choices: Choices | None = None
    _opinions: SecondOpinions = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_opinions", SecondOpinions(self.grounds))

    @classmethod
    def on(
        cls,
        config: RpcConfig,
        grounds: Grounds | None = None,
        *,
        checkpoint: Checkpoint | None = None,
    ) -> "Engine":
        """Asks the nodes and nobody else."""
        client = RpcClient(config)
        return cls(client, client, grounds or grounds_of(config, client, checkpoint))

    def forget(self) -> None:
        """Nothing that was remembered of blocks before this is given out."""
        self.grounds.blocks.forget()
        self._opinions.forget()

    def shrink(self, share: float) -> None:
        """Lets go of all but so much of what is remembered of blocks."""
        self.grounds.blocks.shrink(share)
        self._opinions.shrink(share)

    def share(self, *, flights: bool) -> None:
        """Whether items that ask the same of blocks at the same time wait for one answer."""
        self.grounds.blocks.share(flights=flights)
        self._opinions.share(flights=flights)

    async def validate_one(
        self,
        subject: str,
        *,
        level: int | None,
        agreement: int | None = None,
        explain: bool = False,
        keeping: Keeping | None = None,
    ) -> Outcome:
        """`keeping` None: no proof is kept of what it accuses a node of."""
        asked = Asked(level=level, agreement=agreement, explain=explain)
        return await self._validate(parse_subject(subject), asked, keeping, self.fetcher)

    async def validate_many(
        self,
        subjects: Sequence[str],
        *,
        level: int | None,
        agreement: int | None = None,
        explain: bool = False,
        keeping: Keeping | None = None,
        plan: ItemPlan | None = None,
    ) -> list[Outcome]:
        """One outcome a subject, in their order, within `CHUNK_S`; split as `plan` says."""
        asked = Asked(level=level, agreement=agreement, explain=explain)
        found: dict[int, Outcome] = {}
        until = asyncio.get_running_loop().time() + CHUNK_S
        chooser = self._chooser(plan)
        await self._validate_each(subjects, asked, found.__setitem__, keeping, chooser, until=until)
        outcomes = [found[place] for place in range(len(subjects))]
        if not is_to_repeat(outcomes):
            chooser.tell(outcomes)
        return outcomes

    async def validate_each(
        self,
        subjects: Iterable[str],
        *,
        level: int | None,
        tell: Callable[[int, Outcome], None],
        agreement: int | None = None,
    ) -> None:
        """Tells each outcome with its subject's place as it comes; reads `subjects` as it goes.

        What `tell` raises ends it, and nothing goes on behind its back.
        """
        asked = Asked(level=level, agreement=agreement)
        await self._validate_each(subjects, asked, tell, None, self._chooser(None))

    def _chooser(self, plan: ItemPlan | None) -> Chooser:
        if plan is None or self.choices is None:
            return Always(self.fetcher)
        return self.choices.by(plan)

    async def _validate_each(
        self,
        subjects: Iterable[str],
        asked: Asked,
        tell: Callable[[int, Outcome], None],
        keeping: Keeping | None,
        chooser: Chooser,
        *,
        until: float = math.inf,
    ) -> None:
        waiting, pace = iter(enumerate(subjects)), Pace()
        drag_on = chooser.drags()

        async def work() -> None:
            for place, subject in waiting:
                await pace.step()  # what L1 answers is awaited and yet done in one go
                fetcher = pace.of(chooser.fetcher(subject, place))
                item = parse_subject(subject)
                outcome = await self._validate(item, asked, keeping, fetcher, until=until)
                if drag_on is not None and (drag := drag_on(place)) is not None:
                    outcome = await drag.longer(outcome)
                tell(place, outcome)

        workers = [asyncio.create_task(work()) for _ in range(_AT_ONCE)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _validate(
        self,
        subject: Subject,
        asked: Asked,
        keeping: Keeping | None,
        fetcher: Fetcher,
        *,
        until: float = math.inf,
    ) -> Outcome:
        heard: list[Heard] = []
        clock = asyncio.get_running_loop().time
        now = clock()
        if now >= until:
            return _out_of_time(subject)
        until = min(until, now + ITEM_S)
        level = asked.level
        if level is None:
            level = default_level(subject.kind, self.grounds)
        try:
            async with asyncio.timeout_at(until):
                outcome = await validate(
                    subject,
                    level=level,
                    fetcher=fetcher,
                    grounds=self.grounds,
                    heard=heard,
                    explain=asked.explain,
                )
        except TimeoutError:
            return _out_of_time(subject, after_ms=(clock() - now) * 1000)
        if _is_plain(outcome) and asked.agreement is None:
            return outcome if outcome.spans is UNSET else _begun(outcome, now)
        first = Examined(outcome, heard, level)
        return _begun(await self._follow_up(subject, asked, first, keeping, until=until), now)

    async def _follow_up(
        self,
        subject: Subject,
        asked: Asked,
        first: Examined,
        keeping: Keeping | None,
        *,
        until: float,
    ) -> Outcome:
        """What an item takes that does not simply pass, or that more than one node is asked of.
        Where the time runs out, the verdict stands as it is.
        """
        standing = first
        accused = first if first.outcome.verdict is Verdict.INVALID else None
        if accused is not None and self.grounds.others is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    found = await self._opinions.on(
                        subject, first.outcome, level=first.level, explain=asked.explain
                    )
                    standing = found or first
        outcome = standing.outcome
        if asked.explain or not _is_plain(first.outcome):
            outcome = msgspec.structs.replace(outcome, spans=spans_of(standing) or UNSET)
        if asked.agreement is not None:
            standing = standing._replace(outcome=outcome)
            outcome, liar = await self._agreed(subject, asked, standing, until=until)
            accused = accused or liar
        if accused is None or keeping is None:
            return outcome
        bundle = keeping.bundle(subject, accused, grounds=self.grounds)
        return msgspec.structs.replace(outcome, bundle=bundle)

    async def _agreed(
        self, subject: Subject, asked: Asked, standing: Examined, *, until: float
    ) -> tuple[Outcome, Examined | None]:
        """With what other nodes say; and the first of those that differ who is caught by it, as
        far as that is told in time.
        """
        outcome, liar = standing.outcome, None
        now = asyncio.get_running_loop().time()
        until = min(until, now + WITHIN_S)
        agreement = await agree(
            subject,
            outcome,
            standing.heard,
            asked=asked.agreement or 1,
            grounds=self.grounds,
            within_s=until - now,
        )
        outcome = msgspec.structs.replace(outcome, agreement=agreement)
        if outcome.verdict is not Verdict.VALID:
            return outcome, None
        level = max(standing.level, _CONSISTENT)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                for differing in agreement.differs[:_MOST_HELD]:
                    word = await self._opinions.of(differing.node, subject, level=level)
                    if word.outcome.caught is not UNSET:
                        liar = liar or word
                        known = () if outcome.caught is UNSET else outcome.caught
                        outcome = with_caught(outcome, (*known, *word.outcome.caught))
        return outcome, liar


def grounds_of(
    config: RpcConfig, client: RpcClient, checkpoint: Checkpoint | None = None
) -> Grounds:
    """Of a client whose chain nobody follows. One node has no others to be held against."""
    return Grounds(
        chain_id=config.chain_id,
        checkpoint=checkpoint,
        lineage=lineage_to(checkpoint),
        others=client if len(config.nodes) > 1 else None,
    )


def is_to_repeat(outcomes: Iterable[Outcome]) -> bool:
    """Whether nobody could be asked about some of them: the chunk is worth another try."""
    return any(outcome.reason in _SHUT for outcome in outcomes)


def _begun(outcome: Outcome, at: float) -> Outcome:
    return msgspec.structs.replace(outcome, began_at=UNSET if outcome.spans is UNSET else at)


def _is_plain(outcome: Outcome) -> bool:
    """Passed, and soon: nothing is kept of it but its result."""
    return outcome.verdict is Verdict.VALID and outcome.ms < SLOW_MS


def _out_of_time(subject: Subject, *, after_ms: float = 0.0) -> Outcome:
    told = f"not settled within {ITEM_S:.0f} s, or its chunk within {CHUNK_S:.0f} s: slow nodes?"
    return Outcome(
        subject=str(subject),
        verdict=Verdict.ERROR,
        level=0,
        reason="deadline_exceeded",
        checks=(Check("answered", Status.FAIL, told),),
        node="",
        ms=round(after_ms, 3),
    )


def no_node(subject: str) -> Outcome:
    """What is known of an item that nobody can be asked about."""
    told = Check("answered", Status.FAIL, "no node is in service: add one, or uncordon one")
    return Outcome(
        subject=subject,
        verdict=Verdict.ERROR,
        level=0,
        reason="no_node",
        checks=(told,),
        node="",
        ms=0.0,
    )
