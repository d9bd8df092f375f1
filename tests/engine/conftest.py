import asyncio
from collections.abc import Callable, Sequence

import pytest

from tests.devnode.conftest import chain, serving
from validation.engine import Engine
from validation.rpc import NodeUrl, RpcConfig
from validation.validators import Outcome

__all__ = ["chain", "serving"]

type Ask = Callable[..., list[Outcome]]


@pytest.fixture
def ask() -> Ask:
    """Validates subjects over real sockets and gives back one outcome each."""

    def validate(
        url: str, subjects: Sequence[str], *, level: int | None = None, chain_id: int | None = None
    ) -> list[Outcome]:
        config = RpcConfig(
            nodes=(NodeUrl.parse(url),), allow_loopback=True, chain_id=chain_id, max_attempts=1
        )

        async def run() -> list[Outcome]:
            engine = Engine.on(config)
            try:
                return await engine.validate_many(subjects, level=level)
            finally:
                await engine.client.aclose()

        return asyncio.run(run())

    return validate
