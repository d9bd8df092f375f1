"""Nodes in this process over the packaged chain, asked one by one: some lie, some are silent."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.devnode.asking import Exchange, call
from validation.devnode.app import App, create_app
from validation.devnode.chain import Chain
from validation.engine import Engine
from validation.rpc import Call, NodeUnreachable, Reply
from validation.validators import Grounds

type Lie = Callable[[str, Any], Any]
"""Of a method and its true result, what is said instead."""


@dataclass
class World:
    """A client, and `Others`: the first node that is up answers `fetch`."""

    chain: Chain
    names: tuple[str, ...]
    lies: dict[str, Lie] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    asked: Counter[str] = field(default_factory=Counter)
    """Fetches, by node."""

    def __post_init__(self) -> None:
        self._app: App = create_app(self.chain)

    def labels(self) -> tuple[str, ...]:
        return self.names

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        return await self.fetch_from(self.names[0], calls)

    async def fetch_from(
        self, node: str, calls: Sequence[Call], *, timeout_s: float | None = None
    ) -> Reply:
        self.asked[node] += 1
        if node in self.down:
            raise NodeUnreachable("nobody listens", node=node)
        batch = [call(each.method, *each.params, ident=n) for n, each in enumerate(calls)]
        exchange = Exchange(json.dumps(batch).encode())
        scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
        await self._app(scope, exchange.receive, exchange.send)
        body = b"".join(message.get("body", b"") for message in exchange.sent[1:])
        lie = self.lies.get(node, _truth)
        raws = tuple(
            json.dumps(lie(asked.method, answer["result"])).encode()
            for asked, answer in zip(calls, json.loads(body), strict=True)
        )
        values = tuple(asked.decode(raw) for asked, raw in zip(calls, raws, strict=True))
        return Reply(values, node, raws)

    def engine(self) -> Engine:
        grounds = Grounds(chain_id=self.chain.chain_id, others=self)
        return Engine(client=self, fetcher=self, grounds=grounds)  # type: ignore[arg-type]


def _truth(_: str, said: Any) -> Any:
    return said


def altered(method: str, **fields: object) -> Lie:
    """The result of one method with other fields; what they are made of is the truth."""

    def tell(asked: str, said: Any) -> Any:
        if asked != method or said is None:
            return said
        return said | {
            name: made(said) if callable(made) else made for name, made in fields.items()
        }

    return tell


FORGED = altered("eth_getTransactionByHash", value="0x1b69b4bacd05f15")
"""Of every transaction another amount: its hash is not of that any more."""
