"""A question, its reply, and whoever answers."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from validation.rpc import Call, Reply


class Heard(NamedTuple):
    """A question and its reply."""

    calls: tuple[Call, ...]
    reply: Reply


class Fetcher(Protocol):
    """Answers a group of calls in one round trip, from one node."""

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        """`fresh`: asked of a node now, whatever a cache knows."""
