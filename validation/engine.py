"""Validates many subjects at once over one client: what a chunk and `--local` run on."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from validation.rpc import RpcClient, RpcConfig
from validation.subjects import parse_subject
from validation.validators import Outcome, validate


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

    async def validate_many(self, subjects: Sequence[str], *, level: int | None) -> list[Outcome]:
        """One outcome a subject, in their order. All ask at once; the client bounds it."""
        return await asyncio.gather(*[self.validate_one(s, level=level) for s in subjects])
