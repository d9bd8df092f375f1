"""A client that asks in one of its fetch modes: what is picked once for an item."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from validation.rpc.calls import Call, Reply
from validation.rpc.forms import Form


class Asks(Protocol):
    """Whoever answers a group of calls from one node: the client, or one of its modes."""

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply: ...


type FetchAs = Callable[[Sequence[Call], float | None, bool, Form], Awaitable[Reply]]


class Mode:
    """`client.fetch` in another form, and in all else like it."""

    __slots__ = ("_fetch", "_form")

    def __init__(self, form: Form, fetch: FetchAs) -> None:
        self._form = form
        self._fetch = fetch

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        return await self._fetch(calls, timeout_s, fresh, self._form)
