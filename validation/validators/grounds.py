"""What the items of one engine share when they look beyond themselves."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from validation.checkpoint import Checkpoint
from validation.rpc import Call, Reply


class Finality(Protocol):
    """What is known of the chain's end: `validation.heads.ChainView`."""

    def final_number(self) -> int | None: ...

    def is_settled(self, number: int, block_hash: str, /) -> bool: ...

    def is_orphaned(self, block_hash: str, /) -> bool: ...


class Others(Protocol):
    """The nodes one by one: `validation.rpc.RpcClient`."""

    def labels(self) -> tuple[str, ...]:
        """Of the nodes in service, best first."""

    async def fetch_from(
        self, node: str, calls: Sequence[Call], *, timeout_s: float | None = None
    ) -> Reply:
        """Asks this node and no other. RpcError where it does not answer or is in no service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """`others` None: there is one node, or it is not known which."""

    chain_id: int | None = None
    checkpoint: Checkpoint | None = None
    finality: Finality | None = None
    others: Others | None = None
    now: Callable[[], float] = time.time
    """Epoch seconds; in a proof bundle, those of its making."""
