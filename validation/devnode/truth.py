"""What the chain knows, for lies to be made of."""

from collections.abc import Mapping, Sequence
from typing import Any

from validation.devnode.chain import Chain
from validation.devnode.errors import RpcFault
from validation.devnode.lies import TrueStock
from validation.devnode.methods import Method


def stock(chain: Chain, methods: Mapping[str, Method]) -> TrueStock:
    def known(method: str, params: Sequence[Any]) -> bytes | None:
        try:
            return methods[method](params)
        except RpcFault:
            return None

    return TrueStock(known=known, proved_at=chain.latest, addresses=chain.addresses)
