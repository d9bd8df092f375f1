"""What the items of one engine share when they look beyond themselves."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from validation.checkpoint import Checkpoint
from validation.rpc import Call, Reply
from validation.validators.shared_blocks import SharedBlocks
from validation.validators.shared_finals import SharedFinals

if TYPE_CHECKING:
    from validation.validators.asking import Ask


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


class LinkTold(Protocol):
    """Whether a block hangs together with the checkpoint: `validation.lineage.Link`."""

    @property
    def flaw(self) -> str: ...
    @property
    def skip_reason(self) -> str: ...
    @property
    def skip_text(self) -> str: ...
    @property
    def links(self) -> int: ...
    @property
    def node(self) -> str | None:
        """Who alone can be to blame for the flaw."""

    @property
    def computed(self) -> str: ...
    @property
    def claimed(self) -> str: ...


class Links(Protocol):
    """Links blocks to the checkpoint: `validation.lineage.Lineage`."""

    @property
    def checkpoint(self) -> Checkpoint: ...

    async def link(self, number: int, block_hash: str, ask: "Ask") -> LinkTold: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """`others` None: there is one node, or it is not known which."""

    chain_id: int | None = None
    checkpoint: Checkpoint | None = None
    finality: Finality | None = None
    others: Others | None = None
    now: Callable[[], float] = time.time
    """Epoch seconds; in a proof bundle, those of its making."""
    blocks: SharedBlocks = field(default_factory=SharedBlocks, compare=False, repr=False)
    """What items of one block need of it is asked for and verified once."""
    lineage: Links | None = None
    """None where no checkpoint is trusted: `lineage_to(checkpoint)` makes it."""
    finals: SharedFinals = field(default_factory=SharedFinals, compare=False, repr=False)

    def may_move(self, number: int) -> bool:
        """Whether a reorganisation may still replace the block at this number, so that two answers
        may differ though nobody lied: behind one address there may be several nodes.
        """
        if self.checkpoint is not None and number <= self.checkpoint.number:
            return False
        final = None if self.finality is None else self.finality.final_number()
        return final is None or number > final
