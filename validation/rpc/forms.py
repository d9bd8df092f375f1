"""How the calls of a batch become HTTP requests: variants behind one Protocol, by name.

Whatever its form, a batch is asked of one node, under one permit of its breaker, and is answered,
given up, asked elsewhere or cancelled as a whole.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, cast

from validation.rpc.wire import Answer


class Load(NamedTuple):
    """What a sending takes of its node at once: HTTP requests, and calls in them; how many calls it
    asks in all; and how many a request, since a node's times are compared among equals.
    """

    requests: int
    at_once: int
    calls: int
    size: int

    @property
    def rounds(self) -> int:
        """How many requests one after the other it takes."""
        return -(-self.calls // self.at_once)


class Trip(Protocol):
    """One sending on its way: `validation.rpc.flights.Flight`."""

    @property
    def load(self) -> Load: ...

    def post_all(self, fragments: Sequence[bytes]) -> Awaitable[list[Answer]]:
        """In one request. Raises RpcError where it failed as a whole."""

    async def post_one(self, fragment: bytes) -> Answer:
        """In a request of its own. Raises RpcError where that failed."""


class Form(Protocol):
    @property
    def is_alone(self) -> bool:
        """Whether the calls of a fetch go without those of others."""

    def least(self, calls: int) -> int:
        """How many of a node's calls must be free before so many go out."""

    def load(self, calls: int, *, asks_chain: bool, sockets: int, room: int) -> Load:
        """Where so many sockets and calls are free."""

    def carry(self, trip: Trip, fragments: Sequence[bytes]) -> Awaitable[list[Answer]]: ...


class Whole:
    """One request for all."""

    __slots__ = ("is_alone",)

    def __init__(self, *, is_alone: bool) -> None:
        self.is_alone = is_alone

    def least(self, calls: int) -> int:
        return calls

    def load(self, calls: int, *, asks_chain: bool, sockets: int, room: int) -> Load:
        del sockets, room
        return Load(1, calls + asks_chain, calls + asks_chain, calls)

    def carry(self, trip: Trip, fragments: Sequence[bytes]) -> Awaitable[list[Answer]]:
        return trip.post_all(fragments)


class _Single:
    """A request a call. Who is at the other end is asked with the first call on each connection,
    and counted there.
    """

    __slots__ = ()
    is_alone = True

    def least(self, calls: int) -> int:
        del calls
        return 1


class OneByOne(_Single):
    """Each once the one before is answered."""

    __slots__ = ()

    def load(self, calls: int, *, asks_chain: bool, sockets: int, room: int) -> Load:
        del asks_chain, sockets, room
        return Load(1, 1, calls, 1)

    async def carry(self, trip: Trip, fragments: Sequence[bytes]) -> list[Answer]:
        return [await trip.post_one(fragment) for fragment in fragments]


class AllAtOnce(_Single):
    """All at the same time, as far as there are sockets; the first that fails ends the others."""

    __slots__ = ()

    def load(self, calls: int, *, asks_chain: bool, sockets: int, room: int) -> Load:
        del asks_chain
        width = max(1, min(calls, sockets, room))
        return Load(width, width, calls, 1)

    async def carry(self, trip: Trip, fragments: Sequence[bytes]) -> list[Answer]:
        answers: list[Answer | None] = [None] * len(fragments)
        waiting = iter(enumerate(fragments))

        async def work() -> None:
            for place, fragment in waiting:
                answers[place] = await trip.post_one(fragment)

        tasks = [asyncio.create_task(work()) for _ in range(trip.load.requests)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            # Until they are gone their sockets are not free; cancelling takes no time but a tick.
            await asyncio.gather(*tasks, return_exceptions=True)
        return cast(list[Answer], answers)


COALESCED: Final = "coalesced"
FORMS: Final[Mapping[str, Form]] = {
    "sequential": OneByOne(),
    "parallel": AllAtOnce(),
    "batch": Whole(is_alone=True),
    COALESCED: Whole(is_alone=False),
}
"""By the name of the fetch mode."""
WITH_OTHERS: Final = FORMS[COALESCED]
