"""Validates many subjects at once over one client: what a chunk and `--local` run on."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from validation.rpc import RpcClient, RpcConfig
from validation.subjects import parse_subject
from validation.validators import Fetcher, Grounds, Outcome, validate

# Enough to fill every batch; more would only wait in the client, at the cost of their own deadline.
_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Engine:
    """`fetcher` is the client itself, or a cache in front of it."""

    client: RpcClient
    fetcher: Fetcher
    grounds: Grounds

    @classmethod
    def on(cls, config: RpcConfig) -> "Engine":
        """Asks the nodes and nobody else."""
        client = RpcClient(config)
        return cls(client, client, Grounds(chain_id=config.chain_id))

    async def validate_one(
        self, subject: str, *, level: int | None, agreement: int | None = None
    ) -> Outcome:
        """`agreement`: how many nodes must say the same; None: one is enough."""
        del agreement
        return await validate(
            parse_subject(subject), level=level, fetcher=self.fetcher, grounds=self.grounds
        )

    async def validate_many(
        self, subjects: Sequence[str], *, level: int | None, agreement: int | None = None
    ) -> list[Outcome]:
        """One outcome a subject, in their order."""
        found: dict[int, Outcome] = {}
        await self.validate_each(subjects, level=level, agreement=agreement, tell=found.__setitem__)
        return [found[place] for place in range(len(subjects))]

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
        waiting = iter(enumerate(subjects))

        async def work() -> None:
            for place, subject in waiting:
                tell(place, await self.validate_one(subject, level=level, agreement=agreement))

        workers = [asyncio.create_task(work()) for _ in range(_AT_ONCE)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
