"""Validates many subjects at once over one client: what a chunk and `--local` run on."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from validation.rpc import RpcClient, RpcConfig
from validation.subjects import parse_subject
from validation.validators import Outcome, validate

# Enough to fill every batch; more would only wait in the client, at the cost of their own deadline.
_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Engine:
    client: RpcClient
    chain_id: int | None

    @classmethod
    def on(cls, config: RpcConfig) -> "Engine":
        return cls(RpcClient(config), config.chain_id)

    async def validate_one(self, subject: str, *, level: int | None) -> Outcome:
        return await validate(
            parse_subject(subject), level=level, fetcher=self.client, chain_id=self.chain_id
        )

    async def validate_many(
        self,
        subjects: Sequence[str],
        *,
        level: int | None,
        tell: Callable[[Outcome], None] = lambda _: None,
    ) -> list[Outcome]:
        """One outcome a subject, in their order; `tell` hears each as it comes."""
        found: dict[int, Outcome] = {}
        waiting = iter(enumerate(subjects))

        async def work() -> None:
            for place, subject in waiting:
                found[place] = await self.validate_one(subject, level=level)
                tell(found[place])

        async with asyncio.TaskGroup() as group:
            for _ in range(min(_AT_ONCE, len(subjects))):
                group.create_task(work())
        return [found[place] for place in range(len(subjects))]
